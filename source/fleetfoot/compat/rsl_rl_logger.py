"""What `runner.logger` is in scripts for rsl_rl: where the run is written, and what was counted."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import final

import fleetfoot
from fleetfoot.core.config import encode
from fleetfoot.runners.config import RunnerCfg
from fleetfoot.runners.logging.console import Console
from fleetfoot.runners.logging.fanout import FanOut
from fleetfoot.runners.logging.tensorboard import TensorboardWriter
from fleetfoot.runners.logging.writer import IterationReport, MetricsWriter, RunInfo, Status
from fleetfoot.runners.provenance import write_git_state

__all__ = ["Logger"]


@final
class Logger:
    """Shows and stores what a runner reports, with iterations counted from 0; a `MetricsWriter` for that runner.

    Args:
        log_dir: The run's folder; without it nothing is shown or stored.
        cfg: The run.
        num_envs: Environments side by side, of all processes.
        device: Where the networks live.
        is_first: Whether this process is the one that writes.
    """

    def __init__(
        self, log_dir: str | Path | None, cfg: RunnerCfg, *, num_envs: int, device: str, is_first: bool = True
    ) -> None:
        self.log_dir = None if log_dir is None else str(log_dir)
        self.git_status_repos: list[str] = [str(fleetfoot.__file__)]
        """Files whose git repositories are written down when training begins."""
        self.writer: MetricsWriter | None = None
        """None until training begins, and without a folder."""
        self.tot_timesteps, self.tot_time = 0, 0.0
        """Environment steps made, and seconds spent with them."""
        self._cfg, self._num_envs, self._device, self._is_first = cfg, num_envs, device, is_first
        self._total = 0

    @contextmanager
    def writing(self, start: int, total: int) -> Iterator[None]:
        """Open what is written to, from iteration `start` until before `total`, and close it."""
        self._total = total
        if self.log_dir is not None and self._is_first:
            self._open(Path(self.log_dir), start)
        try:
            yield
        except BaseException:
            self.close("failed")
            raise
        self.close("finished")

    def _open(self, folder: Path, start: int) -> None:
        writers: list[MetricsWriter] = [Console(), TensorboardWriter()]
        if self._cfg.logger == "wandb":
            from fleetfoot.runners.logging.wandb import WandbWriter  # an optional dependency

            writers.append(WandbWriter(project=self._cfg.wandb_project))
        self.writer = FanOut(writers, report=lambda text: warnings.warn(text, stacklevel=2))
        self.writer.start(
            RunInfo(
                name=folder.name,
                log_dir=folder,
                task=folder.name,
                run_id=f"{folder.name.replace('.', '-')}-{secrets.token_hex(4)}",
                device=self._device,
                num_envs=self._num_envs,
                resumed_from=start or None,
                config={"agent": encode(self._cfg)},
            )
        )
        for repo in self.git_status_repos:
            write_git_state(Path(repo), folder / "git")

    def start(self, run: RunInfo) -> None:
        """Do nothing: `writing` begins it."""

    def write(self, report: IterationReport) -> None:
        """Take one iteration."""
        self.tot_timesteps, self.tot_time = report.env_steps, report.seconds
        if self.writer is not None:
            self.writer.write(replace(report, iteration=report.iteration - 1, num_iterations=self._total))

    def add_video(self, path: Path, iteration: int) -> None:
        """Take a finished video."""
        if self.writer is not None:
            self.writer.add_video(path, iteration)

    def close(self, status: Status) -> None:
        """Finish what is written; the writer stays, closed."""
        if self.writer is not None:
            self.writer.close(status)

    def stop_logging_writer(self) -> None:
        """Finish what is written."""
        self.close("finished")
