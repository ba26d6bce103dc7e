"""The window of Isaac Sim, with stand-ins for the few things of Kit that it uses: Kit exists only inside Isaac Sim."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


class Drawn:
    """What was drawn last, and what was copied."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.buttons: dict[str, Callable[[], None]] = {}
        self.copied: list[str] = []
        self.is_open = False


class Frame:
    def set_build_fn(self, build: Callable[[], None]) -> None:
        self.rebuild = build
        build()


class Text:
    def __init__(self, text: str) -> None:
        self.text, self.call = text, lambda model: None

    def get_value_as_string(self) -> str:
        return self.text

    def add_end_edit_fn(self, call) -> None:
        self.call = call


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawn]:
    drawn = Drawn()

    def window(title: str, **size: int) -> SimpleNamespace:
        drawn.is_open = True
        return SimpleNamespace(frame=Frame(), destroy=lambda: setattr(drawn, "is_open", False))

    def button(text: str, clicked_fn: Callable[[], None], **size: int) -> None:
        drawn.buttons[text] = clicked_fn

    parts = {name: lambda **_: nullcontext() for name in ("ScrollingFrame", "VStack", "HStack", "StringField")}
    fakes = {
        "omni": {},
        "omni.ext": {"IExt": object},
        "omni.kit": {},
        "omni.kit.clipboard": {"copy": drawn.copied.append},
        "omni.ui": {
            "Window": window,
            "Button": button,
            "Label": lambda text, **_: drawn.labels.append(text),
            "SimpleStringModel": Text,
            **parts,
        },
    }
    for name, members in fakes.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    yield drawn
    sys.modules.pop("fleetfoot_isaaclab_ui.extension", None)


def test_it_lists_the_runs_and_copies_what_to_type(drawn: Drawn, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "logs/ant/2026-01-05_12-00-00/checkpoints").mkdir(parents=True)
    (tmp_path / "logs/ant/2026-01-05_12-00-00/checkpoints/model_50.pt").touch()
    monkeypatch.chdir(tmp_path)
    extension = importlib.import_module("fleetfoot_isaaclab_ui.extension").FleetfootExtension()
    extension.on_startup("fleetfoot-0.1.0")
    assert drawn.is_open
    assert "ant/2026-01-05_12-00-00: 50 iterations" in drawn.labels
    drawn.buttons["Copy --checkpoint"]()
    assert drawn.copied == [f"--checkpoint {tmp_path}/logs/ant/2026-01-05_12-00-00"]

    drawn.labels.clear()
    (tmp_path / "logs/ant/2026-01-05_12-00-00/checkpoints/model_99.pt").touch()
    drawn.buttons["Refresh"]()
    assert "ant/2026-01-05_12-00-00: 99 iterations" in drawn.labels
    extension.on_shutdown()
    assert not drawn.is_open
