"""A window that lists the runs of a folder, with what to type to take each up. Kit imports it: it needs `omni`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import final

import omni.ext
import omni.kit.clipboard
import omni.ui

from fleetfoot_isaaclab_ui.runs import checkpoint_words, find_runs

__all__ = ["FleetfootExtension"]


@final
class FleetfootExtension(omni.ext.IExt):
    """Kit finds this class by its base, and makes one when the extension is enabled."""

    def on_startup(self, ext_id: str) -> None:
        window = omni.ui.Window("fleetfoot", width=480, height=320)
        self._window: omni.ui.Window | None = window
        self._folder = omni.ui.SimpleStringModel(str(Path.cwd() / "logs"))
        self._folder.add_end_edit_fn(lambda _: self._refresh())
        window.frame.set_build_fn(self._build)

    def on_shutdown(self) -> None:
        if self._window is not None:
            self._window.destroy()
            self._window = None

    def _refresh(self) -> None:
        """Kit calls `_build` when it next draws, and not while a button of what it replaces is pressed."""
        if self._window is not None:
            self._window.frame.rebuild()

    def _build(self) -> None:
        folder = Path(self._folder.get_value_as_string()).expanduser()
        with omni.ui.ScrollingFrame(), omni.ui.VStack(height=0, spacing=4):
            with omni.ui.HStack(height=24):
                omni.ui.Label("Runs in", width=60)
                omni.ui.StringField(model=self._folder)
                omni.ui.Button("Refresh", width=70, clicked_fn=self._refresh)
            for run in find_runs(folder):
                words = checkpoint_words(run)
                with omni.ui.HStack(height=24):
                    omni.ui.Label(f"{run.experiment}/{run.folder.name}: {run.iteration} iterations", tooltip=words)
                    omni.ui.Button("Copy --checkpoint", width=130, clicked_fn=partial(omni.kit.clipboard.copy, words))
