"""Learning curves as a picture, from `metrics.jsonl`.

One run: what was measured, thin, under its running mean. Several runs of different seeds: each thin, their median bold.
Drawn without pyplot, so no window, no global state; matplotlib is imported when a picture is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetfoot.errors import OutputError
from fleetfoot.runners.logging.jsonl import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_learning_curves", "plot_seeds"]

_COLORS = ("#1f6feb", "#e8590c", "#2b8a3e", "#9c36b5", "#0b7285", "#c92a2a", "#5f3dc4", "#846358")
_INK, _GRID, _FAINT = "#24292f", "#d8dee4", "#6e7781"
_POINTS = 400
"""Points along x at which runs are compared."""
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _FAINT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class _Run:
    """The columns of one file; NaN where a tag had no value."""

    steps: np.ndarray
    minutes: np.ndarray
    tags: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _Panel:
    """One diagram: label to tag, each drawn as a curve."""

    title: str
    curves: Mapping[str, str]
    log: bool = False
    fraction: bool = False
    reference: float | None = None


def plot_learning_curves(metrics: Path | Sequence[Path], png: Path, *, title: str = "") -> None:
    """Draw how a training went: reward, tracking, episode length, and the learner below.

    Args:
        metrics: One `metrics.jsonl`, or those of several seeds.
        png: Where the picture goes; the suffix chooses the format, as `.svg`.
        title: Above it.

    Raises:
        OutputError: There is nothing to draw in the files.
    """
    runs = _load([metrics] if isinstance(metrics, Path) else metrics)
    figure = _figure(12.0, 6.2, title)
    with _style():
        grid = figure.add_gridspec(2, 4)
        places = [grid[0, :2], grid[0, 2], grid[0, 3]]
        for place, panel in zip(places, _outcome_panels(runs), strict=True):
            _draw(figure.add_subplot(place), panel, runs, with_time=True)
        for column, panel in enumerate(_learner_panels(runs)):
            _draw(figure.add_subplot(grid[1, column]), panel, runs, color=_COLORS[4], with_time=False)
        figure.savefig(png, dpi=150)


def plot_seeds(metrics: Sequence[Path], png: Path, *, title: str = "") -> None:
    """Draw reward, tracking, episode length and the curriculum of several seeds in one row, for the documentation.

    Args:
        metrics: The `metrics.jsonl` of each seed.
        png: Where the picture goes; the suffix chooses the format.
        title: Above it.

    Raises:
        OutputError: There is nothing to draw in the files.
    """
    runs = _load(metrics)
    panels = [*_outcome_panels(runs), *_curriculum_panels(runs)]
    figure = _figure(11.0 * len(panels) / 3, 3.4, title)
    with _style():
        grid = figure.add_gridspec(1, len(panels))
        for column, panel in enumerate(panels):
            _draw(figure.add_subplot(grid[0, column]), panel, runs, with_time=True)
        figure.savefig(png, dpi=150)


def _outcome_panels(runs: Sequence[_Run]) -> list[_Panel]:
    tags = list(dict.fromkeys(tag for run in runs for tag in run.tags))
    tracking = {_words(tag, "track_"): tag for tag in tags if tag.startswith("Metrics/track_")}
    terms = {_words(tag, ""): tag for tag in tags if tag.startswith("Episode_Reward/")}
    middle = (
        _Panel("tracking, of its maximum", tracking, fraction=True, reference=0.8)
        if tracking
        else _Panel("reward terms", dict(list(terms.items())[: len(_COLORS)]))
    )
    return [
        _Panel("mean reward", {"reward": "Train/mean_reward"}),
        middle,
        _Panel("episode length, steps", {"length": "Train/mean_episode_length"}),
    ]


def _curriculum_panels(runs: Sequence[_Run]) -> list[_Panel]:
    tags = dict.fromkeys(tag for run in runs for tag in run.tags if tag.startswith("Curriculum/"))
    return [_Panel("curriculum", {_words(tag, ""): tag for tag in tags})] if tags else []


def _learner_panels(runs: Sequence[_Run]) -> list[_Panel]:
    if any("Loss/behavior" in run.tags for run in runs):
        first = _Panel("imitation loss", {"imitation loss": "Loss/behavior"}, log=True)
        second = _Panel("student gradient", {"norm": "Grad/student_norm"}, log=True)
    else:
        first = _Panel("value loss", {"value loss": "Loss/value"}, log=True)
        second = _Panel("KL divergence", {"KL": "Policy/kl"}, log=True)
    std = _Panel("action std", {"std": "Policy/mean_std"})
    return [first, second, std, _Panel("learning rate", {"learning rate": "Loss/learning_rate"}, log=True)]


def _words(tag: str, prefix: str) -> str:
    return tag.split("/", 1)[1].removeprefix(prefix).replace("_", " ")


def _load(paths: Sequence[Path]) -> list[_Run]:
    runs = [run for path in paths if (run := _read(path)) is not None]
    if not runs:
        names = ", ".join(str(path) for path in paths) or "no files"
        raise OutputError(names, got="no iterations", expected="a metrics.jsonl with at least one line")
    return runs


def _read(path: Path) -> _Run | None:
    records = list(read_metrics(path))
    if not records:
        return None
    tags = dict.fromkeys(tag for record in records for tag in record if "/" in tag)
    return _Run(
        steps=_column(records, "env_steps"),
        minutes=_column(records, "seconds") / 60,
        tags={tag: _column(records, tag) for tag in tags},
    )


def _column(records: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = [record.get(key) for record in records]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _figure(width: float, height: float, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=_INK)
    return figure


def _style() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)  # pyright: ignore[reportArgumentType] -- its keys are a literal type


def _draw(axes: Axes, panel: _Panel, runs: Sequence[_Run], *, with_time: bool, color: str = "") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for (label, tag), shade in zip(panel.curves.items(), (color, *_COLORS) if color else _COLORS, strict=False):
        _draw_curve(axes, label, tag, runs, shade)
    if panel.reference is not None:
        axes.axhline(panel.reference, color=_FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    if panel.fraction:
        axes.set_ylim(0, 1.02)
    _scale(axes, panel)
    if len(panel.curves) > 1:
        axes.legend(loc="best")
    axes.set_title(panel.title, loc="left", fontsize=10, fontweight="bold", color=_INK)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(_millions))
    axes.set_xlabel("environment steps")
    if with_time:
        _add_time(axes, runs)


def _scale(axes: Axes, panel: _Panel) -> None:
    """Logarithmic where that was asked for and the values span more than a factor of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.empty(0)])
    if panel.log and values.size and values.min() > 0 and values.max() > 10 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _draw_curve(axes: Axes, label: str, tag: str, runs: Sequence[_Run], color: str) -> None:
    curves = [curve for run in runs if (curve := _curve(run, tag)) is not None]
    if len(curves) == 1:
        steps, values = curves[0]
        axes.plot(steps, values, color=color, linewidth=0.8, alpha=0.3)
        axes.plot(steps, _smooth(values), color=color, linewidth=1.8, label=label)
    elif curves:
        grid = np.linspace(max(s[0] for s, _ in curves), min(s[-1] for s, _ in curves), _POINTS)
        for steps, values in curves:
            axes.plot(steps, _smooth(values), color=color, linewidth=0.8, alpha=0.4)
        median = np.median([np.interp(grid, steps, _smooth(values)) for steps, values in curves], axis=0)
        axes.plot(grid, median, color=color, linewidth=2.2, label=label)


def _curve(run: _Run, tag: str) -> tuple[np.ndarray, np.ndarray] | None:
    values = run.tags.get(tag)
    if values is None:
        return None
    known = np.isfinite(values)
    return (run.steps[known], values[known]) if known.any() else None


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over a fiftieth of the run, over fewer values at the ends."""
    half = len(values) // 100
    total = np.cumsum(np.concatenate([[0.0], values]))
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def _add_time(axes: Axes, runs: Sequence[_Run]) -> None:
    """A second x axis above: minutes of wall clock that the first run had taken by then."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    steps, minutes = runs[0].steps, runs[0].minutes
    if len(steps) < 2 or np.any(np.diff(steps) <= 0) or np.any(np.diff(minutes) <= 0):
        return  # a run put together from pieces has no one clock
    pace = (minutes[-1] - minutes[0]) / (steps[-1] - steps[0])

    def to_minutes(x: Any) -> np.ndarray:
        inside = np.interp(x, steps, minutes)
        return inside + pace * (np.minimum(x - steps[0], 0) + np.maximum(x - steps[-1], 0))

    def to_steps(x: Any) -> np.ndarray:
        inside = np.interp(x, minutes, steps)
        return inside + (np.minimum(x - minutes[0], 0) + np.maximum(x - minutes[-1], 0)) / pace

    top = axes.secondary_xaxis("top", functions=(to_minutes, to_steps))
    top.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    top.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} min"))
    top.tick_params(length=0, labelsize=7, colors=_FAINT)
    top.spines["top"].set_visible(False)


def _millions(value: float, _position: object = None) -> str:
    if value == 0:
        return "0"
    return f"{value / 1e6:g} M" if abs(value) >= 1e5 else f"{value / 1e3:g} k"
