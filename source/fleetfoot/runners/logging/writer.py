"""What a training run reports, and to what: the one contract between the loop and everything that shows or stores.

The runner makes one `IterationReport` per iteration from metrics it has read from the device once, and hands it to one
`MetricsWriter` (usually a `fanout.FanOut` of several). A report is plain numbers: no tensor gets this far, no torch
is imported here.

Tags are those of rsl_rl, so that its users' dashboards work, plus ours (`docs/logging.md` lists them). Conventions that
the console and the plots rely on: `Metrics/track_*` is a fraction of its maximum, in [0, 1]; `Metrics/error_*` is an
error in the unit of what is tracked; `Episode_Termination/*` is the share of episodes that ended for that reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, final

__all__ = ["IterationReport", "MetricsWriter", "NullWriter", "RunInfo", "Status", "Timings", "section"]

Status = Literal["finished", "interrupted", "failed"]
"""How a run ended: by itself, by Ctrl-C or SIGTERM, or with an error."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Where the time of one iteration went, in seconds of wall clock.

    Args:
        collection: Collecting the rollout, as a whole.
        simulation: Of which inside `env.step`.
        inference: Of which choosing actions.
        learning: Returns and the update of the networks.
    """

    collection: float
    simulation: float
    inference: float
    learning: float

    @property
    def iteration(self) -> float:
        """Seconds that the iteration took."""
        return self.collection + self.learning

    def scalars(self, num_steps: int) -> dict[str, float]:
        """The `Perf/*` tags of an iteration that made `num_steps` environment steps."""
        return {
            "Perf/total_fps": num_steps / max(self.iteration, 1e-9),
            "Perf/collection_time": self.collection,
            "Perf/learning_time": self.learning,
            "Perf/simulation_time": self.simulation,
            "Perf/inference_time": self.inference,
        }


@dataclass(frozen=True, kw_only=True)
class IterationReport:
    """One iteration, finished.

    Args:
        iteration: Iterations done since the training began, this one included: the first report says 1.
        num_iterations: What `iteration` will be at the end.
        env_steps: Environment steps made since the training began, over all environments.
        seconds: Wall clock spent training, in all.
        timings: Where the time of this iteration went.
        scalars: Tag to value, all tags flat. A tag without a value this time (no episode ended) is absent.
    """

    iteration: int
    num_iterations: int
    env_steps: int
    seconds: float
    timings: Timings
    scalars: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What a writer is told once, before the first report.

    Args:
        name: Name of the run: that of its folder.
        log_dir: The run's folder; exists.
        task: Name of the task.
        run_id: Identifies the run across resumes: letters, digits, `-` and `_`.
        device: What the networks run on, as `cpu` or `cuda:0`.
        num_envs: Environments simulated side by side.
        resumed_from: Iterations that the checkpoint had done which this run goes on from; what earlier runs in this
            folder reported beyond it is void. None for a new run.
        config: The configuration as plain JSON data.
    """

    name: str
    log_dir: Path
    task: str
    run_id: str
    device: str = "cpu"
    num_envs: int = 0
    resumed_from: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


class MetricsWriter(Protocol):
    """Where reports go. Called from one thread, in the order `start`, `write` and `add_video` any number, `close`."""

    def start(self, run: RunInfo) -> None:
        """Open what is written to.

        Raises:
            OutputError: The run folder cannot be written.
            ConfigError: A package that this writer needs is not installed.
        """
        ...

    def write(self, report: IterationReport) -> None:
        """Take one iteration; safe on disk, if this writer has a file, when it returns."""
        ...

    def add_video(self, path: Path, iteration: int) -> None:
        """Take a finished video of the policy after `iteration` iterations."""
        ...

    def close(self, status: Status) -> None:
        """Finish; does nothing when not started or closed already."""
        ...


@final
class NullWriter:
    """Takes everything, writes nothing: for processes other than the first."""

    def start(self, run: RunInfo) -> None:
        """Do nothing."""

    def write(self, report: IterationReport) -> None:
        """Do nothing."""

    def add_video(self, path: Path, iteration: int) -> None:
        """Do nothing."""

    def close(self, status: Status) -> None:
        """Do nothing."""


def section(scalars: Mapping[str, float], name: str) -> dict[str, float]:
    """The scalars below `name/`, by the rest of their tag, in their order."""
    prefix = f"{name}/"
    return {tag[len(prefix) :]: value for tag, value in scalars.items() if tag.startswith(prefix)}
