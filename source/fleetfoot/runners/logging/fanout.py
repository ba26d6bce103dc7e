"""One writer made of several, of which none can end a training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

from fleetfoot.errors import OutputError
from fleetfoot.runners.logging.writer import IterationReport, MetricsWriter, RunInfo, Status

__all__ = ["FanOut", "check_writable"]

_PROBE_BYTES = 1 << 20
"""Space that must be there at the start: a folder on a full disk often still takes an empty file."""


@final
class FanOut:
    """Hands everything to each of its writers.

    At the start an error is an error: nothing has been computed yet. After that a writer that fails (disk full,
    network gone) is reported once and dropped, because hours of training are worth more than their curves.

    Args:
        writers: In the order they are called.
        report: Is told, in one sentence, when a writer is dropped.
    """

    def __init__(self, writers: Sequence[MetricsWriter], *, report: Callable[[str], None]) -> None:
        self._all = tuple(writers)
        self._working: list[MetricsWriter] = []
        self._report = report

    def start(self, run: RunInfo) -> None:
        """Start every writer.

        Raises:
            OutputError: The run folder is read-only, full, or not a folder.
        """
        check_writable(run.log_dir)
        for writer in self._all:
            self._working.append(writer)
            try:
                writer.start(run)
            except BaseException as error:
                self._abandon()
                if isinstance(error, OSError):
                    raise _output_error(run.log_dir, error) from error
                raise

    def write(self, report: IterationReport) -> None:
        """Hand the report to every writer that still works."""
        self._each(lambda writer: writer.write(report))

    def add_video(self, path: Path, iteration: int) -> None:
        """Hand the video to every writer that still works."""
        self._each(lambda writer: writer.add_video(path, iteration))

    def close(self, status: Status) -> None:
        """Close every writer that still works."""
        self._each(lambda writer: writer.close(status))
        self._working.clear()

    def _abandon(self) -> None:
        for writer in self._working:
            with contextlib.suppress(Exception):
                writer.close("failed")
        self._working.clear()

    def _each(self, call: Callable[[MetricsWriter], None]) -> None:
        for writer in tuple(self._working):
            try:
                call(writer)
            except Exception as error:  # whatever a writer's library raises
                self._drop(writer, error)

    def _drop(self, writer: MetricsWriter, error: Exception) -> None:
        self._working.remove(writer)
        with contextlib.suppress(Exception):
            writer.close("failed")
        with contextlib.suppress(Exception):  # the console itself may be what broke
            self._report(f"{type(writer).__name__} stopped ({_reason(error)}); the training goes on without it.")


def check_writable(folder: Path) -> None:
    """Create the folder and prove that it takes data.

    Raises:
        OutputError: It does not; says why.
    """
    probe = folder / ".write_test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
    except OSError as error:
        raise _output_error(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def _output_error(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        str(error.filename or folder),
        got=_reason(error),
        expected="a folder with free space that this user can write",
        fix="Free some space, or choose another log folder.",
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
