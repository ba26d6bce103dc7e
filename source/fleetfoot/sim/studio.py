"""Drawing recordings in processes of their own: one at a time, and never at the cost of the run."""

from __future__ import annotations

import collections
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, final

import fleetfoot
from fleetfoot.errors import OutputError
from fleetfoot.sim.footage import Footage
from fleetfoot.sim.render import NO_OPENGL_STATUS

__all__ = ["RenderJob", "Studio"]

_NICENESS: Final = 10


@final
class RenderJob:
    """What was filmed, and the process that makes a video of it."""

    def __init__(self, footage: Footage, path: Path) -> None:
        self.path = path
        self._footage = footage
        self._source = path.with_name(f".{path.stem}.npz")
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def start(self, *, background: bool) -> None:
        """Write the recording and start drawing it; in the background it leaves the CPU to others.

        Raises:
            OutputError: The recording cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._footage.save(self._source)
            self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by `stop`; a pipe nobody reads could fill up
            environ, arguments = dict(os.environ), [str(self._source), str(self.path)]
            package = str(Path(fleetfoot.__file__).parents[1])
            environ["PYTHONPATH"] = os.pathsep.join(filter(None, (package, environ.get("PYTHONPATH"))))
            if background:
                environ |= {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
                arguments += ["--nice", str(_NICENESS)]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fleetfoot.sim.render", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                env=environ,
                start_new_session=True,  # Ctrl-C in the terminal is for the training
            )
        except OSError as error:
            self.stop()
            raise OutputError(str(self.path), got=str(error), expected="a folder for videos") from error

    def poll(self) -> int | None:
        """The process's exit status, or None while it draws."""
        return self._process.poll() if self._process else 1

    def wait(self, timeout: float) -> int | None:
        """The exit status, or None if it takes longer than this [s]."""
        try:
            return self._process.wait(timeout) if self._process else 1
        except subprocess.TimeoutExpired:
            return None

    def complaint(self) -> str:
        """The last thing the process said, on one line."""
        if self._said is None or self._said.closed:
            return "the renderer said nothing"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"the renderer ended with status {self.poll()} and said nothing"

    def stop(self) -> None:
        """Leave nothing behind but the video, if there is one."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._said:
            self._said.close()
        with contextlib.suppress(OSError):  # where nothing can be written nothing is left behind either
            self._source.unlink(missing_ok=True)
            self.path.with_name(f".{self.path.stem}.partial.mp4").unlink(missing_ok=True)


@final
class Studio:
    """Draws recordings one after the other, and speaks up once if it cannot."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.is_closed = False
        self._report: Callable[[str], None] | None = report
        self._waiting: collections.deque[RenderJob] = collections.deque()
        self._current: RenderJob | None = None
        self._finished: list[Path] = []

    def take_finished(self) -> list[Path]:
        """The videos that were finished since the last time."""
        finished, self._finished = self._finished, []
        return finished

    def order(self, footage: Footage, path: Path) -> None:
        """Draw this when it is its turn; nothing once this is closed."""
        if self.is_closed:
            return
        self._waiting.append(RenderJob(footage, path))
        self.attend()

    def give_up(self, why: str) -> None:
        """Say that no more can be filmed; what was ordered is still drawn."""
        self._say(f"no more videos: {why}")

    def attend(self) -> None:
        """See whether the current video is finished, and start the next one. Never waits, never raises."""
        if self._current is None and not self._waiting:
            return
        if self._current is not None:
            status = self._current.poll()
            if status is None:
                return
            self._settle(self._current, status)
        if self._waiting and self._current is None:
            job = self._waiting.popleft()
            try:
                job.start(background=True)
                self._current = job
            except OutputError as error:
                self._complain(job, str(error))

    def close(self, timeout: float) -> None:
        """Draw what is waiting, for this long at most [s], and stop."""
        deadline = time.monotonic() + timeout
        try:
            self.attend()
            while self._current is not None and self._current.wait(max(0.0, deadline - time.monotonic())) is not None:
                self.attend()
            if self._current is not None:
                left = 1 + len(self._waiting)
                self._complain(self._current, f"{left} of the videos were not finished {timeout:.0f} s after the end")
        finally:  # also when somebody does not want to wait
            if self._current is not None:
                self._current.stop()
            self._current = None
            self._waiting.clear()
            self.is_closed = True

    def _settle(self, job: RenderJob, status: int) -> None:
        self._current = None
        if status == 0:
            self._finished.append(job.path)
        else:
            self._complain(job, job.complaint())
        job.stop()
        if status == NO_OPENGL_STATUS:  # it will not appear while we run
            self.is_closed = True
            self._waiting.clear()

    def _complain(self, job: RenderJob, why: str) -> None:
        self._say(f"video {job.path} was not made: {why}")

    def _say(self, message: str) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(message)
