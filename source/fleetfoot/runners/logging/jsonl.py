"""Metrics as a file that anything can read: `metrics.jsonl`, one JSON object per iteration.

A line is `{"iteration": 1, "num_iterations": …, "env_steps": …, "seconds": …, "<tag>": …, …}`. A number that is not
finite is `null`, because JSON has no word for it; a tag without a value is absent.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, final

from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Status

__all__ = ["METRICS_FILE", "JsonlWriter", "read_metrics"]

METRICS_FILE = "metrics.jsonl"


@final
class JsonlWriter:
    """Appends to `metrics.jsonl` in the run folder."""

    def __init__(self) -> None:
        self._file: TextIO | None = None

    def start(self, run: RunInfo) -> None:
        """Open the file, without what an earlier run reported after the checkpoint that this one goes on from."""
        path = run.log_dir / METRICS_FILE
        if path.exists():
            _keep_until(path, run.resumed_from or 0)
        self._file = path.open("a", encoding="utf-8")

    def write(self, report: IterationReport) -> None:
        """Append a line; it is in the file when this returns."""
        if self._file is not None:
            self._file.write(json.dumps(_record(report), allow_nan=False) + "\n")
            self._file.flush()  # a run that is killed loses nothing, and `tail -f` follows

    def add_video(self, path: Path, iteration: int) -> None:
        """Do nothing: videos are files of their own."""

    def close(self, status: Status) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a `metrics.jsonl`, without lines that a crash cut off."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)


def _record(report: IterationReport) -> dict[str, Any]:
    return {
        "iteration": report.iteration,
        "num_iterations": report.num_iterations,
        "env_steps": report.env_steps,
        "seconds": round(report.seconds, 4),
        **{tag: _finite(float(value)) for tag, value in report.scalars.items()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _keep_until(path: Path, iteration: int) -> None:
    """Drop the records after `iteration`; a crash half-way leaves the old file."""
    kept = [json.dumps(record) + "\n" for record in read_metrics(path) if record["iteration"] <= iteration]
    draft = path.with_suffix(".jsonl.tmp")
    draft.write_text("".join(kept), encoding="utf-8")
    os.replace(draft, path)
