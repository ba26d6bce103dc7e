"""Runs of a folder, found by their files: no torch and no Kit here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

__all__ = ["Run", "checkpoint_words", "find_runs"]


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that has a checkpoint."""

    folder: Path
    """Where it lies: `<log root>/<experiment>/<time>`."""
    experiment: str
    """What the runs of one agent of a task have in common."""
    iteration: int
    """Of its last checkpoint."""


def find_runs(log_root: Path) -> Sequence[Run]:
    """The runs below a folder of logs, the last first; none, where there is no such folder."""
    runs = []
    for folder in log_root.glob("*/*"):
        names = [path.name for path in (folder / "checkpoints").glob("model_*.pt")]
        iterations = [int(match[1]) for name in names if (match := re.fullmatch(r"model_(\d+)\.pt", name))]
        if iterations:
            runs.append(Run(folder=folder, experiment=folder.parent.name, iteration=max(iterations)))
    return sorted(runs, key=lambda run: run.folder.name, reverse=True)


def checkpoint_words(run: Run) -> str:
    """What the scripts are told of it by: play.py, evaluate.py, export.py, and train.py with --resume."""
    return f"--checkpoint {shlex.quote(str(run.folder))}"
