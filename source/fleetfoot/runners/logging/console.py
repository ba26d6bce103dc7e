"""The training as a person sees it: a live view on a terminal, plain lines elsewhere.

No thread refreshes the view: it is drawn between two iterations, at most four times a second, so that every core
stays with the simulator. Escape codes are written to terminals only.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, final

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions
from rich.live import Live
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from fleetfoot.runners.logging.format import compact, duration
from fleetfoot.runners.logging.summary import RunSummary, summary_lines
from fleetfoot.runners.logging.view import ASCII, UNICODE, Glyphs, Line, View, render
from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Status, Timings, section

__all__ = ["Console"]

_REFRESH_S = 0.25
_WINDOW = 20
"""Iterations over which speeds are averaged."""
_MAX_HISTORY = 512
"""Values kept of a tag; beyond it neighbours are averaged, so that the whole run stays in view."""


@final
class Console:
    """Shows stages, messages, the running training and its summary; a `MetricsWriter` among others.

    Args:
        file: Where to write; standard output by default.
        live: Whether to draw the live view; by default where `file` is a terminal that can.
        line_interval_s: Seconds between two plain lines, at least.
        clock: Seconds from anywhere, rising.
    """

    def __init__(
        self,
        file: TextIO | None = None,
        *,
        live: bool | None = None,
        line_interval_s: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._file = file or sys.stdout
        terminal = _is_terminal(self._file) if live is None else live
        # rich lets FORCE_COLOR turn a log file into a terminal; here only a terminal is one.
        self._rich = RichConsole(file=self._file, force_terminal=terminal, highlight=False, soft_wrap=not terminal)
        self._is_live = terminal
        self._glyphs = UNICODE if _takes_unicode(self._file) else ASCII
        self._interval_s = _REFRESH_S if terminal else line_interval_s
        self._clock = clock
        self._stages: list[str] = []
        self._stage_line_open = False
        self._live: Live | None = None
        self._tracker: _Tracker | None = None
        self._next_s = -math.inf
        self._shown = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Print `name … 1.2 s` around a step of the work; above the live view, when it is done."""
        began = self._clock()
        label = "  " * len(self._stages) + f"{name} {self._glyphs.ellipsis}"
        self._break_stage_line()
        if self._live is None:
            self._print(label, end="")
            self._stage_line_open = True
        self._stages.append(label)
        outcome = "failed after "
        try:
            yield
            outcome = ""
        finally:
            self._stages.pop()
            start = "" if self._stage_line_open else label
            self._stage_line_open = False
            self._print(f"{start} {outcome}{self._clock() - began:.1f} s")

    def message(self, text: str, *, style: str = "yellow") -> None:
        """Print a line, above the live view if there is one."""
        self._break_stage_line()
        self._print(text, style=style)

    def start(self, run: RunInfo) -> None:
        """Begin to show the run."""
        self._tracker = _Tracker(run)
        self._next_s = -math.inf
        if self._is_live:
            self._live = Live(console=self._rich, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
            atexit.register(self._stop_live)  # whatever happens, the cursor comes back
        else:
            since = f", going on from iteration {run.resumed_from}" if run.resumed_from else ""
            self._print(f"training {run.task} with {run.num_envs} envs on {run.device}{since}: {run.log_dir}")

    def write(self, report: IterationReport) -> None:
        """Take an iteration in; show it if the last one was shown long enough ago."""
        if self._tracker is None:
            return
        self._tracker.add(report)
        now = self._clock()
        if now >= self._next_s or report.iteration >= report.num_iterations:
            self._next_s = now + self._interval_s
            self._show()

    def add_video(self, path: Path, iteration: int) -> None:
        """Say where it is."""
        self.message(f"video of iteration {iteration}: {path}", style="dim")

    def close(self, status: Status) -> None:
        """Show the last iteration and give the terminal back."""
        tracker = self._tracker
        if tracker is not None and tracker.report is not None and self._shown != tracker.report.iteration:
            self._show()
        self._tracker = None
        self._stop_live()

    def summary(self, summary: RunSummary) -> None:
        """Print what the run came to, below the last of the view."""
        self.close(summary.status)
        self._print_lines(summary_lines(summary, width=min(self._rich.width, 80), glyphs=self._glyphs))

    def _show(self) -> None:
        assert self._tracker is not None
        view = self._tracker.view()
        self._shown = view.report.iteration
        if self._live is None:
            self._print(_plain_line(view))
        else:
            self._live.update(_Drawing(view, self._glyphs), refresh=True)

    def _stop_live(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            atexit.unregister(self._stop_live)
            live.stop()

    def _break_stage_line(self) -> None:
        if self._stage_line_open:
            self._stage_line_open = False
            self._print("")

    def _print(self, text: str, *, style: str = "", end: str = "\n") -> None:
        with suppress(OSError):  # nobody listens any more (`… | head`), which is no reason to stop training
            if self._is_live:
                self._rich.print(Text(text, style=style), end=end)
            else:
                self._file.write(_encodable(text, self._file) + end)
            self._file.flush()

    def _print_lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if self._is_live:
                self._rich.print(Text.assemble(*line), soft_wrap=True)  # a command to copy is never cut
            else:
                self._print("".join(text for text, _ in line).rstrip())


@final
class _Drawing:
    """The view as rich asks for it: at the size that the terminal has now."""

    def __init__(self, view: View, glyphs: Glyphs) -> None:
        self._view, self._glyphs = view, glyphs

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> Iterator[Segment]:
        # One row less than there are keeps the terminal from scrolling.
        lines = render(self._view, width=options.max_width, height=console.height - 1, glyphs=self._glyphs)
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            for text, style in line:
                yield Segment(text, Style.parse(style))


@final
class _Tracker:
    """What the view knows beyond the last report: averages, the best, the past."""

    def __init__(self, run: RunInfo) -> None:
        self.report: IterationReport | None = None
        self._run = run
        self._best = -math.inf
        self._history: dict[str, _History] = {}
        self._recent: deque[IterationReport] = deque(maxlen=_WINDOW + 1)

    def add(self, report: IterationReport) -> None:
        self.report = report
        self._recent.append(report)
        self._best = max(self._best, _finite_or(report.scalars.get("Train/mean_reward"), -math.inf))
        for tag, value in report.scalars.items():
            if not tag.startswith(("Perf/", "Episode_")):
                self._history.setdefault(tag, _History()).append(value)

    def view(self) -> View:
        assert self.report is not None
        first, last = self._recent[0], self._recent[-1]
        elapsed, done = last.seconds - first.seconds, last.iteration - first.iteration
        pace = elapsed / done if done else last.timings.iteration
        steps = last.env_steps - first.env_steps
        rate = steps / elapsed if done and elapsed > 0 else last.scalars.get("Perf/total_fps", math.nan)
        return View(
            run=self._run,
            report=self.report,
            timings=_mean([report.timings for report in self._recent]),
            steps_per_second=rate,
            seconds_left=pace * (last.num_iterations - last.iteration),
            best_reward=self._best,
            history={tag: history.values for tag, history in self._history.items()},
        )


@final
class _History:
    """All values of a tag, thinned out to a bounded number."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._stride = 1
        self._pending: list[float] = []

    def append(self, value: float) -> None:
        self._pending.append(value)
        if len(self._pending) < self._stride:
            return
        self.values.append(sum(self._pending) / self._stride)
        self._pending.clear()
        if len(self.values) >= _MAX_HISTORY:
            self.values = [(a + b) / 2 for a, b in zip(self.values[::2], self.values[1::2], strict=True)]
            self._stride *= 2


def _mean(timings: list[Timings]) -> Timings:
    count = len(timings)
    return Timings(
        collection=sum(t.collection for t in timings) / count,
        simulation=sum(t.simulation for t in timings) / count,
        inference=sum(t.inference for t in timings) / count,
        learning=sum(t.learning for t in timings) / count,
    )


def _plain_line(view: View) -> str:
    report = view.report
    digits = len(str(report.num_iterations))
    parts = [f"[{report.iteration:>{digits}}/{report.num_iterations}]"]
    if "Train/mean_reward" in report.scalars:
        parts.append(f"reward {compact(report.scalars['Train/mean_reward'])}")
    if "Train/mean_episode_length" in report.scalars:
        parts.append(f"length {report.scalars['Train/mean_episode_length']:.0f}")
    for name, value in section(report.scalars, "Metrics").items():
        if name.startswith("track_"):
            parts.append(f"{name.removeprefix('track_')} {value:.2f}")
    parts += [f"{view.steps_per_second:,.0f} steps/s", f"left {duration(view.seconds_left)}"]
    return "  ".join(parts)


def _finite_or(value: float | None, otherwise: float) -> float:
    return value if value is not None and math.isfinite(value) else otherwise


def _is_terminal(file: TextIO) -> bool:
    return file.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _takes_unicode(file: TextIO) -> bool:
    encoding = getattr(file, "encoding", None)  # a file in memory has none and takes anything
    return encoding is None or encoding.lower().replace("-", "").startswith("utf")


def _encodable(text: str, file: TextIO) -> str:
    encoding = getattr(file, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
