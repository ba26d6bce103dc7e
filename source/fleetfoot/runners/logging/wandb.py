"""Metrics on Weights & Biases, for those who ask for it with `--logger wandb`.

Nothing here may stop a training or ask a question: without an API key, or without a network, the run is written to
the run folder and `wandb sync` uploads it later. The run's id lies in `wandb_run.json`, so a resumed training
continues the same run; its x axis is the metric `iteration`, because W&B's own step cannot go back to a checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import netrc
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

from fleetfoot.errors import ConfigError
from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Status

__all__ = ["RUN_FILE", "WandbWriter"]

RUN_FILE = "wandb_run.json"

_EXIT_CODES: dict[Status, int] = {"finished": 0, "interrupted": 130, "failed": 1}
_INIT_TIMEOUT_S = 20.0


@final
class WandbWriter:
    """Logs to one W&B run.

    Args:
        project: Project that the run is filed under.
        report: Is told where the run can be seen, or why it stays offline; by default a warning.
    """

    def __init__(self, *, project: str, report: Callable[[str], None] = warnings.warn) -> None:
        self._project = project
        self._report = report
        self._run: Any = None
        self._videos: dict[str, Any] = {}

    def start(self, run: RunInfo) -> None:
        """Open the run, offline if it has to be.

        Raises:
            ConfigError: wandb is not installed.
        """
        wandb = _import_wandb()
        arguments = {
            "project": self._project,
            "name": run.name,
            "id": _run_id(run),
            "dir": str(run.log_dir),
            "config": {"task": run.task, "device": run.device, "num_envs": run.num_envs, **run.config},
            "resume": "allow",
        }
        try:
            self._run = self._open(wandb, arguments)
        except Exception as error:  # even offline: its own settings are at odds
            got = f"W&B does not start ({_first_line(error)})"
            fix = "Check the WANDB_* variables, or leave --logger away."
            raise ConfigError("--logger wandb", got=got, expected="settings that W&B accepts", fix=fix) from error
        self._run.define_metric("iteration")
        self._run.define_metric("*", step_metric="iteration")

    def write(self, report: IterationReport) -> None:
        """Log the scalars, and the videos that came since the last time, in one call."""
        if self._run is not None:
            row = {"iteration": report.iteration, "env_steps": report.env_steps, "seconds": report.seconds}
            self._run.log({**row, **report.scalars, **self._take_videos()})

    def add_video(self, path: Path, iteration: int) -> None:
        """Keep the video for the next call of `write`."""
        if self._run is not None:
            caption = f"iteration {iteration}"
            self._videos["Video/policy"] = _import_wandb().Video(str(path), format="mp4", caption=caption)

    def close(self, status: Status) -> None:
        """Log what is left and end the run."""
        run, self._run = self._run, None
        if run is not None:
            videos = self._take_videos()
            if videos:
                run.log(videos)
            run.finish(exit_code=_EXIT_CODES[status])
            _import_wandb().teardown()  # `finish` returns before an offline run is on the disk; this waits

    def _open(self, wandb: Any, arguments: dict[str, Any]) -> Any:
        mode, reason = _mode(wandb)
        if mode == "online":
            try:
                run = wandb.init(**arguments, mode=mode, settings=_settings(wandb))
            except Exception as error:  # no network, a key that is refused, a server that is down
                mode, reason = "offline", _first_line(error)
                wandb.teardown()  # the service that could not connect
            else:
                self._report(f"W&B: {run.url}")
                return run
        run = wandb.init(**arguments, mode=mode, settings=_settings(wandb))
        if mode == "offline":
            self._report(f"W&B is offline ({reason}). Upload later: wandb sync {Path(run.dir).parent}")
        return run

    def _take_videos(self) -> dict[str, Any]:
        videos, self._videos = self._videos, {}
        return videos


def _import_wandb() -> Any:
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(
            "agent.logger",
            got="wandb, which is not installed",
            expected="tensorboard, or wandb with its package",
            fix="pip install 'fleetfoot[wandb]'",
        ) from error
    return wandb


def _mode(wandb: Any) -> tuple[str, str]:
    """What the user set, else online where there is a key, because without one W&B would prompt; and why."""
    settings = wandb.setup(_settings(wandb)).settings
    if settings.mode in ("disabled", "offline") or os.environ.get("WANDB_MODE") in ("disabled", "offline"):
        return os.environ.get("WANDB_MODE") or settings.mode, "as set by WANDB_MODE"
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE") or settings.api_key:
        return "online", ""
    if _has_password(urlsplit(settings.base_url).hostname or ""):
        return "online", ""
    return "offline", "no API key; `wandb login` stores one"


def _has_password(host: str) -> bool:
    """Whether `wandb login` left a key for this host where it leaves keys."""
    for path in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        with contextlib.suppress(OSError, netrc.NetrcParseError):
            if path and netrc.netrc(os.path.expanduser(path)).authenticators(host):
                return True
    return False


def _settings(wandb: Any) -> Any:
    """Quiet, and none of the wrapping of standard output that would garble the live view."""
    return wandb.Settings(console="off", silent=True, init_timeout=_INIT_TIMEOUT_S)


def _run_id(run: RunInfo) -> str:
    """The id of the run in this folder, kept across resumes."""
    path = run.log_dir / RUN_FILE
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))["id"]
    path.write_text(json.dumps({"id": run.run_id}) + "\n", encoding="utf-8")
    return run.run_id


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
