import contextlib
import io
import os
import pty
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pyte
import pytest

from fleetfoot.runners.logging.console import Console
from fleetfoot.runners.logging.summary import RunSummary


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _plain(**options):
    file, clock = io.StringIO(), _Clock()
    return Console(file, clock=clock, **options), file, clock


class _Terminal:
    """A terminal of 80 columns and 24 rows: a real pseudo-terminal, read by an emulator."""

    def __init__(self, monkeypatch, columns=80, rows=24):
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(rows))
        self._outer, inner = pty.openpty()
        self.file = os.fdopen(inner, "w", encoding="utf-8")
        self.screen = pyte.HistoryScreen(columns, rows)
        self._arrived = threading.Event()
        self.screen.write_process_input = lambda answer: self._arrived.set()
        self._stream = pyte.ByteStream(self.screen)
        self._reader = threading.Thread(target=self._follow, daemon=True)  # its buffer is smaller than a frame
        self._reader.start()

    def _follow(self):
        with contextlib.suppress(OSError):  # how Linux says that the other end was closed
            while seen := os.read(self._outer, 1 << 16):
                self._stream.feed(seen)

    def read(self):
        """What is on the screen once all that was written has arrived: the terminal then says where its cursor is."""
        self._arrived.clear()
        self.file.write("\x1b[6n")
        self.file.flush()
        assert self._arrived.wait(30)
        return self.screen.display

    def close(self):
        self.file.close()
        self._reader.join(5.0)
        os.close(self._outer)


@pytest.fixture
def terminal(monkeypatch):
    opened = _Terminal(monkeypatch)
    yield opened
    opened.close()


def test_plain_lines_come_every_few_seconds_and_at_the_end(make_run, make_report):
    console, file, clock = _plain(line_interval_s=5.0)
    console.start(make_run())
    for i in range(1, 31):
        clock.now = i * 0.5
        console.write(make_report(i, 30))
    console.close("finished")
    lines = file.getvalue().splitlines()
    assert lines[0].startswith("training Anymal-Flat with 256 envs on cpu: ")
    assert [line.split("]")[0] for line in lines[1:]] == ["[ 1/30", "[11/30", "[21/30", "[30/30"]
    assert "12,288 steps/s  left 0:00" in lines[-1]
    assert "lin_vel 0.96" in lines[-1]
    assert all(len(line) <= 100 for line in lines[1:])


def test_the_iteration_that_a_run_ended_with_is_shown(make_run, make_report):
    console, file, _ = _plain()
    console.start(make_run())
    console.write(make_report(1))
    console.write(make_report(2))
    console.close("interrupted")
    assert file.getvalue().splitlines()[-1].startswith("[  2/300]")


def test_a_file_gets_no_escape_codes_whatever_the_environment_says(make_run, make_report, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    console, file, _ = _plain()
    with console.stage("load torch"):
        console.message("careful")
    console.start(make_run())
    console.write(make_report(1))
    console.close("finished")
    console.summary(_summary())
    assert "\x1b" not in file.getvalue()
    assert "\r" not in file.getvalue()


def test_stages_are_timed_nested_and_survive_messages():
    console, file, clock = _plain()
    with console.stage("load torch"):
        clock.now = 1.24
    with console.stage("simulator"):
        clock.now = 2.0
        with console.stage("compile"):
            console.message("a warning")
            clock.now = 2.5
    with pytest.raises(ValueError, match="no"), console.stage("export"):
        raise ValueError("no")
    assert file.getvalue().splitlines() == [
        "load torch … 1.2 s",
        "simulator …",
        "  compile …",
        "a warning",
        "  compile … 0.5 s",
        "simulator … 1.3 s",
        "export … failed after 0.0 s",
    ]


def test_a_file_that_cannot_take_unicode_gets_ascii(make_run, make_report):
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="latin-1", write_through=True))
    with console.stage("load torch"):
        console.message("Überraschung ▁▂▃")
    console.start(make_run())
    console.write(make_report(1))
    console.summary(_summary())
    assert "Überraschung ???" in raw.getvalue().decode("latin-1")
    assert b"load torch ..." in raw.getvalue()


def test_a_closed_pipe_stops_neither_messages_nor_stages():
    reader, writer = os.pipe()
    os.close(reader)
    file = os.fdopen(writer, "w", encoding="utf-8")
    console = Console(file)
    with console.stage("load torch"):
        console.message("nobody reads this")
    with pytest.raises(BrokenPipeError):
        file.close()


@pytest.mark.slow
def test_the_live_view_fits_80_by_24_and_keeps_its_place(make_run, make_report, terminal):
    console = Console(terminal.file, clock=(clock := _Clock()))
    console.start(make_run())
    for i in range(1, 301):
        clock.now += 1.0
        console.write(make_report(i))
        if i == 150:
            console.message("a warning in the middle")
    display = terminal.read()
    console.close("finished")
    screen = "\n".join(display)
    assert screen.count("fleetfoot  Anymal-Flat") == 1
    assert screen.count("300/300") == 1
    assert "learning rate" in screen
    assert display[0].startswith("a warning in the middle")


def test_stages_and_the_summary_keep_clear_of_the_live_view(make_run, make_report, terminal):
    console = Console(terminal.file, clock=(clock := _Clock()))
    console.start(make_run())
    console.write(make_report(1))
    clock.now = 0.1
    console.write(make_report(2))  # too soon to be drawn
    with console.stage("write checkpoint"):
        clock.now = 0.2
    console.summary(replace(_summary(), hints=("python " + "x" * 90 + " end",)))
    terminal.read()
    past = ["".join(cell.data for _, cell in sorted(row.items())) for row in terminal.screen.history.top]
    text = "\n".join([*past, *terminal.read()])
    assert text.count("fleetfoot  Anymal-Flat") == 1
    assert "write checkpoint … 0.1 s" in text
    assert " 2/300 " in text
    assert text.index(" 2/300 ") < text.index("finished")
    assert "x end" in text


def test_the_view_is_drawn_four_times_a_second_at_most(make_run, make_report, terminal):
    console = Console(terminal.file, clock=(clock := _Clock()))
    console.start(make_run())
    console.write(make_report(1))
    clock.now = 0.2
    console.write(make_report(2))
    assert any(" 1/300" in line for line in terminal.read())
    clock.now = 0.3
    console.write(make_report(3))
    assert any(" 3/300" in line for line in terminal.read())
    console.close("finished")


def test_the_cursor_comes_back_after_an_error(make_run, make_report, terminal):
    script = f"""
        import sys
        sys.path[:0] = {sys.path!r}
        from pathlib import Path
        from fleetfoot.runners.logging.console import Console
        from fleetfoot.runners.logging.writer import RunInfo
        console = Console()
        console.start(RunInfo(name="r", log_dir=Path("r"), task="T", run_id="r"))
        raise SystemExit(3)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, stdout=terminal.file, check=False).returncode == 3
    terminal.read()
    assert not terminal.screen.cursor.hidden


def test_a_dumb_terminal_gets_plain_lines(make_run, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(terminal.file)
    console.start(make_run())
    assert terminal.read()[0].startswith("training Anymal-Flat")


def test_time_left_follows_the_recent_pace_and_best_is_kept(make_run, make_report):
    console, file, _ = _plain(line_interval_s=0.0)
    console.start(make_run())
    for i in range(1, 101):
        console.write(make_report(i, 300, seconds_each=2.0))
    assert file.getvalue().splitlines()[-1].endswith("left 6:40")


def test_the_console_costs_less_than_three_milliseconds_an_iteration(make_run, make_report, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(io.StringIO(), live=True, clock=(clock := _Clock()))
    reports = [make_report(i) for i in range(1, 301)]
    console.start(make_run())
    start = time.process_time()
    for report in reports:
        clock.now += 1.0  # as if every iteration were drawn
        console.write(report)
    each = (time.process_time() - start) / len(reports)
    console.close("finished")
    assert each < 3e-3


def test_no_torch_and_no_simulator_is_imported():
    modules = [path.stem for path in Path("source/fleetfoot/runners/logging").glob("*.py")]
    modules = modules or ["console", "fanout", "jsonl", "plots", "summary", "tensorboard", "view", "wandb", "writer"]
    imports = "; ".join(f"import fleetfoot.runners.logging.{name}" for name in modules if not name.startswith("__"))
    heavy = "{'torch', 'mujoco', 'tensorboard', 'wandb', 'matplotlib'}"
    script = f"import sys; sys.path[:0] = {sys.path!r}; {imports}; print(sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def _summary():
    folder = Path("logs/fleetfoot/anymal_flat/2026-01-05_12-00-00")
    return RunSummary(
        title="Anymal-Flat",
        status="finished",
        iterations=300,
        seconds=150.0,
        env_steps=300 * 6144,
        final_reward=24.0,
        best_reward=24.9,
        folder=folder,
        files={"checkpoint": folder / "checkpoints" / "best.pt"},
    )
