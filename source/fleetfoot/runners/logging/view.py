"""The live view as pure functions: what is known about a run, to lines of at most so many columns and rows.

A line is a list of (text, style) pairs. Nothing here prints, keeps state or starts a thread; `console.Console` does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from fleetfoot.runners.logging.format import compact, duration, shorten, shorten_path
from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Timings, section

__all__ = ["ASCII", "UNICODE", "Glyphs", "Line", "View", "render"]

Line = list[tuple[str, str]]

_TWO_COLUMNS = 64
"""Columns below which the two halves of the body are stacked."""

_LEARNING = {
    "Loss/value": "value loss",
    "Loss/surrogate": "surrogate loss",
    "Loss/entropy": "entropy",
    "Loss/behavior": "imitation loss",
    "Policy/kl": "KL divergence",
    "Policy/clip_fraction": "clip fraction",
    "Policy/explained_variance": "explained var.",
    "Grad/actor_norm": "actor gradient",
    "Grad/critic_norm": "critic gradient",
    "Grad/student_norm": "student gradient",
    "Policy/mean_std": "action std",
    "Policy/teacher_share": "teacher acts",
    "Loss/learning_rate": "learning rate",
}
"""What the right half names first, in this order; other tags below Loss, Policy and Grad follow under their own."""


@dataclass(frozen=True)
class Glyphs:
    """The characters to draw with: `levels` and `bar` from little to full, `shares` one per part of an iteration."""

    levels: str
    shares: str
    done: str
    todo: str
    rule: str
    wall: str
    tee: str
    cross: str
    bar: str
    dot: str
    ellipsis: str


UNICODE = Glyphs(" ▁▂▃▄▅▆▇█", "━╍━─", "━", "─", "─", "│", "┬", "┼", "╸━", "·", "…")
ASCII = Glyphs(" .:-=+*#", "#=+-", "#", "-", "-", "|", "+", "+", "#", ".", "...")


@dataclass(frozen=True, kw_only=True)
class View:
    """What is shown.

    Args:
        run: The run.
        report: The last iteration.
        timings: Mean of the last few iterations.
        steps_per_second: Over those same iterations.
        seconds_left: Until the last iteration; NaN when not known yet.
        best_reward: Highest mean reward so far.
        history: Tag to its values so far, oldest first, possibly thinned out.
    """

    run: RunInfo
    report: IterationReport
    timings: Timings
    steps_per_second: float
    seconds_left: float
    best_reward: float
    history: Mapping[str, Sequence[float]]


def render(view: View, *, width: int, height: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """The view as at most `height` lines of exactly `width` columns."""
    head = _head(view, width, glyphs)
    room = height - len(head)
    body = _wide(view, width, room, glyphs) if width >= _TWO_COLUMNS else _narrow(view, width, room, glyphs)
    return [_fit(line, width) for line in (head + body)[:height]]


def _head(view: View, width: int, glyphs: Glyphs) -> list[Line]:
    run = view.run
    place = f" {glyphs.dot} ".join([f"{run.num_envs:,} envs"] * bool(run.num_envs) + [run.device])
    title: Line = [(" fleetfoot ", "bold reverse cyan"), (f" {run.task}", "bold")]
    gap = width - _width(title) - cell_len(place) - 1
    if gap > 0:
        title += [(" " * gap, ""), (place, "dim")]
    folder: Line = [(f" {shorten_path(str(run.log_dir), width - 2, glyphs.ellipsis)}", "dim")]
    return [title, folder, _progress(view, width, glyphs), _speed(view, width, glyphs)]


def _progress(view: View, width: int, glyphs: Glyphs) -> Line:
    done, total = view.report.iteration, max(view.report.num_iterations, 1)
    share = min(done / total, 1.0)
    left = f" {done}/{total} "
    times = f" {share:4.0%}  {duration(view.report.seconds)}"
    if width >= _TWO_COLUMNS:
        times += f"  {duration(view.seconds_left)} left "
    room = max(width - len(left) - len(times), 0)
    filled = round(share * room)
    bar: Line = [(glyphs.done * filled, "green"), (glyphs.todo * (room - filled), "dim")]
    return [(left, "bold"), *bar, (times, "bold")]


def _speed(view: View, width: int, glyphs: Glyphs) -> Line:
    spent = view.timings
    total = max(spent.iteration, 1e-9)
    parts = [
        ("simulation", spent.simulation / total, "cyan"),
        ("inference", spent.inference / total, "magenta"),
        ("learning", spent.learning / total, "yellow"),
    ]
    known = math.isfinite(view.steps_per_second)
    rate = f" {view.steps_per_second:,.0f} steps/s " if known else " - steps/s "
    labels = "".join(f"  {name} {share:.0%}" for name, share, _ in parts)
    room = width - len(rate) - len(labels) - 1
    if room < 4:
        return [(rate, "bold")]
    line: Line = [(rate, "bold")]
    edge = 0.0
    for (_, share, style), glyph in zip(parts, glyphs.shares, strict=False):
        cells = round((edge + share) * room) - round(edge * room)
        edge += share
        line.append((glyph * cells, style))
    line.append((glyphs.shares[-1] * max(room - round(edge * room), 0), "dim"))
    for name, share, style in parts:
        line += [(f"  {name}", "dim"), (f" {share:.0%}", style)]
    return line


def _wide(view: View, width: int, room: int, glyphs: Glyphs) -> list[Line]:
    left = (width - 3) // 2
    right = width - 3 - left
    terms, learning = _reward_terms(view, left, glyphs), _learning(view, right, glyphs)
    outcome = _outcome(view, right, glyphs)
    upper = max(min(len(outcome), max(4, room - 2 - max(len(terms), len(learning)))), 0)
    lower = min(max(len(terms), len(learning)), room - 2 - upper)
    if lower < 2:  # too low a terminal for both: what counts is above
        lower, upper = 0, min(len(outcome), room - 1)
    lines = [_rule("mean reward", "episodes", left, right, glyphs.tee, glyphs)]
    lines += _beside(_chart(view, left, upper, glyphs), _cut(outcome, upper, glyphs), left, glyphs)
    if lower > 0:
        lines.append(_rule("reward terms", "learning", left, right, glyphs.cross, glyphs))
        lines += _beside(_cut(terms, lower, glyphs), _cut(learning, lower, glyphs), left, glyphs)
    return lines


def _narrow(view: View, width: int, room: int, glyphs: Glyphs) -> list[Line]:
    lines = [_title("mean reward", width, glyphs), *_chart(view, width, 3, glyphs)] if room > 12 else []
    for title, rows in (
        ("episodes", _outcome(view, width, glyphs)),
        ("reward terms", _reward_terms(view, width, glyphs)),
        ("learning", _learning(view, width, glyphs)),
    ):
        if len(lines) + 2 <= room:
            lines.append(_title(title, width, glyphs))
            lines += _cut(rows, room - len(lines), glyphs)
    return lines


def _outcome(view: View, width: int, glyphs: Glyphs) -> list[Line]:
    """How episodes go: reward and length, then how well commands are followed, then why episodes end."""
    scalars = view.report.scalars
    best = f"best {compact(view.best_reward)}" if math.isfinite(view.best_reward) else ""
    rows = [
        _row("reward", scalars.get("Train/mean_reward"), [(best, "dim")], width, glyphs, style="bold"),
        _row("episode length", scalars.get("Train/mean_episode_length"), [("steps", "dim")], width, glyphs),
    ]
    for tag, value in scalars.items():
        kind, _, name = tag.partition("/")
        if kind in ("Metrics", "Curriculum"):
            gauged = name.startswith("track_")
            tail = _gauge(value, _tail(width), glyphs) if gauged else _spark(view, tag, width, glyphs)
            rows.append(_row(name, value, tail, width, glyphs))
    ends = section(scalars, "Episode_Termination")
    ends = {name: share for name, share in sorted(ends.items(), key=lambda end: -end[1]) if share >= 0.005}
    if ends:
        shares = f" {glyphs.dot} ".join(f"{_words(name)} {share:.0%}" for name, share in ends.items())
        rows.append([(f" {shorten('ends: ' + shares, width - 2, glyphs.ellipsis)}", "dim")])
    return rows


def _reward_terms(view: View, width: int, glyphs: Glyphs) -> list[Line]:
    """Each term with a bar of its size, as a share of the largest: rewards green, penalties red."""
    terms = section(view.report.scalars, "Episode_Reward")
    scale = max((abs(value) for value in terms.values() if math.isfinite(value)), default=0.0) or 1.0
    rows = []
    for name, value in terms.items():
        bar = _bar(abs(value) / scale, _tail(width), glyphs)
        rows.append(_row(name, value, [(bar, "green" if value >= 0 else "red")], width, glyphs))
    return rows


def _learning(view: View, width: int, glyphs: Glyphs) -> list[Line]:
    scalars = view.report.scalars
    known = {tag: name for tag, name in _LEARNING.items() if tag in scalars}
    others = {tag: tag.partition("/")[2] for tag in scalars if tag.startswith(("Loss/", "Policy/", "Grad/", "Rnd/"))}
    return [
        _row(name, scalars[tag], _spark(view, tag, width, glyphs), width, glyphs)
        for tag, name in {**known, **{tag: name for tag, name in others.items() if tag not in known}}.items()
    ]


def _row(name: str, value: float | None, tail: Line, width: int, glyphs: Glyphs, *, style: str = "") -> Line:
    """A name, a number flush right, and what is drawn behind it."""
    room = width - _tail(width) - 10
    text = glyphs.dot if value is None else compact(value)
    color = "bold red" if value is not None and not math.isfinite(value) else style
    label = set_cell_size(shorten(_words(name), room, glyphs.ellipsis), room)
    return [(f" {label} ", ""), (f"{text:>7} ", color), *tail]


def _tail(width: int) -> int:
    """Columns for what a row draws behind its number."""
    return min(max(width - 28, 0), 24)


def _words(name: str) -> str:
    """`lin_vel_z_l2` as `lin vel z`: the kernel of a term is no news."""
    for kernel in ("_exp", "_l1", "_l2"):
        name = name.removesuffix(kernel)
    return name.replace("_", " ")


def _gauge(share: float, room: int, glyphs: Glyphs) -> Line:
    """A bar on a track, of a share of 1."""
    bar = _bar(share, room, glyphs)
    return [(bar, "green"), (glyphs.dot * (room - len(bar)), "dim")]


def _bar(share: float, room: int, glyphs: Glyphs) -> str:
    steps = len(glyphs.bar)
    cells = round(min(max(share, 0.0), 1.0) * room * steps) if math.isfinite(share) else 0
    whole, rest = divmod(cells, steps)
    return glyphs.bar[-1] * whole + (glyphs.bar[rest - 1] if rest else "")


def _spark(view: View, tag: str, width: int, glyphs: Glyphs) -> Line:
    levels = _levels(view.history.get(tag, ()), _tail(width), len(glyphs.levels) - 1)
    return [("".join(glyphs.levels[max(level, 1)] for level in levels), "cyan")]


def _chart(view: View, width: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The mean reward so far as a filled curve, with its range at the side."""
    values = [v for v in view.history.get("Train/mean_reward", ()) if math.isfinite(v)]
    if not values:
        return [[(" waiting for the first episode to end", "dim")]] if rows else []
    steps = len(glyphs.levels) - 1
    levels = _levels(values, width - 9, steps * rows)
    lines: list[Line] = []
    for row in range(rows):
        floor = (rows - 1 - row) * steps
        label = compact(max(values)) if row == 0 else compact(min(values)) if row == rows - 1 else ""
        cells = "".join(glyphs.levels[min(max(level - floor, int(floor == 0)), steps)] for level in levels)
        lines.append([(f"{label:>7} ", "dim"), (cells, "green")])
    return lines


def _levels(values: Sequence[float], columns: int, top: int) -> list[int]:
    """The values resampled to at most so many columns, each as a height from 0 to `top`."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite or columns < 1:
        return []
    if len(finite) > columns:
        edges = [round(i * len(finite) / columns) for i in range(columns + 1)]
        finite = [sum(finite[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(finite), max(finite)
    span = high - low
    return [round((value - low) / span * top) if span > 0 else top // 2 for value in finite]


def _rule(left_title: str, right_title: str, left: int, right: int, joint: str, glyphs: Glyphs) -> Line:
    return [*_title(left_title, left + 1, glyphs), (joint, "dim"), *_title(right_title, right + 1, glyphs)]


def _title(text: str, width: int, glyphs: Glyphs) -> Line:
    return [(glyphs.rule, "dim"), (f" {text} ", "bold cyan"), (glyphs.rule * max(width - len(text) - 3, 0), "dim")]


def _beside(left: list[Line], right: list[Line], left_width: int, glyphs: Glyphs) -> list[Line]:
    rows = max(len(left), len(right))
    pad: list[list[Line]] = [side + [[]] * (rows - len(side)) for side in (left, right)]
    return [[*_fit(a, left_width + 1), (f"{glyphs.wall}", "dim"), *b] for a, b in zip(*pad, strict=True)]


def _cut(lines: list[Line], rows: int, glyphs: Glyphs) -> list[Line]:
    """At most so many lines; says how many are not shown."""
    if len(lines) <= rows or rows < 1:
        return lines[: max(rows, 0)]
    return [*lines[: rows - 1], [(f" {glyphs.ellipsis} {len(lines) - rows + 1} more", "dim")]]


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def _fit(line: Line, width: int) -> Line:
    """The line cut or filled to exactly so many columns."""
    fitted: Line = []
    for text, style in line:
        room = width - _width(fitted)
        fitted.append((text if cell_len(text) <= room else set_cell_size(text, room), style))
    return [*fitted, (" " * (width - _width(fitted)), "")]
