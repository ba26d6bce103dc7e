"""What a finished run came to, as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len

from fleetfoot.runners.logging.format import compact, duration, shorten_path
from fleetfoot.runners.logging.view import UNICODE, Glyphs, Line
from fleetfoot.runners.logging.writer import Status

__all__ = ["RunSummary", "summary_lines"]

_LABEL = 14


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What is worth knowing at the end.

    Args:
        title: As `Anymal-Flat: trained`.
        status: How the run ended.
        iterations: Iterations done.
        seconds: Wall clock spent training.
        env_steps: Environment steps made.
        final_reward: Mean reward at the end; NaN if no episode ended.
        best_reward: Highest mean reward; NaN if no policy has acted by itself so far.
        metrics: Name to value, as the tracking.
        folder: The run folder.
        files: Name to path, of what was made: `checkpoint`, `video`, `onnx`, `curves`.
        hints: Commands to run next, a line each.
    """

    title: str
    status: Status
    iterations: int
    seconds: float
    env_steps: int
    final_reward: float
    best_reward: float
    folder: Path
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def summary_lines(summary: RunSummary, *, width: int = 80, glyphs: Glyphs = UNICODE) -> list[Line]:
    """The table, no line wider than `width`; commands are never cut."""
    color = {"finished": "green", "interrupted": "yellow", "failed": "red"}[summary.status]
    heading = f" {summary.title} "
    rule = glyphs.rule * max(width - cell_len(heading) - cell_len(summary.status) - 5, 0)
    lines: list[Line] = [
        [
            (glyphs.rule * 2, "dim"),
            (heading, "bold"),
            (rule, "dim"),
            (f" {summary.status} ", f"bold {color}"),
            (glyphs.rule, "dim"),
        ]
    ]
    rate = [f"{summary.env_steps / summary.seconds:,.0f} steps/s"] if summary.seconds > 0 else []
    dot = f" {glyphs.dot} "
    lines.append(_line("time", dot.join([duration(summary.seconds), f"{summary.iterations:,} iterations"])))
    lines.append(_line("steps", dot.join([f"{summary.env_steps:,}", *rate])))
    if math.isfinite(summary.final_reward):
        best = [f"best {compact(summary.best_reward)}"] if math.isfinite(summary.best_reward) else []
        lines.append(_line("reward", dot.join([compact(summary.final_reward), *best])))
    lines += [_line(name.replace("_", " "), compact(value)) for name, value in summary.metrics.items()]
    lines.append(_line("folder", shorten_path(str(summary.folder), width - _LABEL - 2, glyphs.ellipsis), "cyan"))
    for name, path in summary.files.items():
        shown = shorten_path(_below(path, summary.folder), width - _LABEL - 2, glyphs.ellipsis)
        lines.append(_line(name, shown, "cyan"))
    lines.append([(glyphs.rule * width, "dim")])
    lines += [[(f" {hint}", "bold")] for hint in summary.hints]
    return lines


def _line(name: str, text: str, style: str = "bold") -> Line:
    return [(f" {name:<{_LABEL - 1}} ", "dim"), (text, style)]


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
