"""The writers that a run's config asks for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from fleetfoot.runners.config import RunCfg
from fleetfoot.runners.logging.fanout import FanOut
from fleetfoot.runners.logging.jsonl import JsonlWriter
from fleetfoot.runners.logging.tensorboard import TensorboardWriter
from fleetfoot.runners.logging.writer import MetricsWriter

__all__ = ["file_writers"]


def file_writers(
    cfg: RunCfg,
    *,
    beside: Sequence[MetricsWriter] = (),
    report: Callable[[str], None] | None = None,
) -> FanOut:
    """`metrics.jsonl` and TensorBoard, always; W&B if the config says so.

    Args:
        cfg: The run.
        beside: More writers, as the console.
        report: Is told when a writer fails and is dropped; by default a warning.
    """
    say = report or (lambda text: warnings.warn(text, stacklevel=3))
    writers: list[MetricsWriter] = [*beside, JsonlWriter(), TensorboardWriter()]
    if cfg.logger == "wandb":
        from fleetfoot.runners.logging.wandb import WandbWriter  # an optional dependency

        writers.append(WandbWriter(project=cfg.wandb_project, report=say))
    return FanOut(writers, report=say)
