import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetfoot.core.files import atomic_write
from fleetfoot.errors import OutputError


def fail(error: Exception):
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    return write


def test_the_file_and_its_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    atomic_write(path, lambda temporary: temporary.write_text("whole"))
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("disk full"), OSError()])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OutputError, match=str(path)):
        atomic_write(path, fail(error))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_that_is_not_the_disks_is_passed_on_and_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        atomic_write(tmp_path / "file", fail(KeyError("x")))
    assert not list(tmp_path.iterdir())


def test_a_device_without_space_is_named_with_its_reason(tmp_path):
    path = tmp_path / "file"
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(OutputError) as caught:
        atomic_write(path, lambda temporary: temporary.write_text("x" * 100_000))
    assert "No space left on device" in str(caught.value)
    assert not path.exists()


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="File exists|Not a directory"):
        atomic_write(tmp_path / "file" / "below", lambda temporary: temporary.write_text("x"))


def test_a_folder_of_that_name_is_refused(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="directory"):
        atomic_write(tmp_path / "taken", lambda temporary: temporary.write_text("x"))
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    path = tmp_path / "file"
    code = f"""
from pathlib import Path
from fleetfoot.core.files import atomic_write
number = 0
while True:
    number += 1
    atomic_write(Path({str(path)!r}), lambda temporary: temporary.write_text(f"{{number:09d}}\\n" * 50_000))
"""
    process = subprocess.Popen([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)})
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines = path.read_text().splitlines()
    assert len(lines) == 50_000
    assert len(set(lines)) == 1
