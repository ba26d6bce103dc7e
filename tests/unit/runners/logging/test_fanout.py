import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from fleetfoot.errors import OutputError
from fleetfoot.runners.logging import fanout
from fleetfoot.runners.logging.fanout import FanOut, check_writable
from fleetfoot.runners.logging.jsonl import JsonlWriter, read_metrics
from fleetfoot.runners.logging.tensorboard import TensorboardWriter

NOBODY = 65534


def test_a_full_disk_drops_one_writer_and_is_reported_once(make_run, make_report, tmp_path):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")  # opens, then has no space: a disk that fills up
    said: list[str] = []
    # Resuming would replace the link by a file, so this writer opens it as its predecessor left it.
    writer = FanOut([_OpensAsIs(), TensorboardWriter()], report=said.append)
    writer.start(make_run())
    for i in range(1, 4):
        writer.write(make_report(i))
    writer.close("finished")
    assert len(said) == 1
    assert "No space left" in said[0]
    assert [path for path in tmp_path.glob("events*") if path.stat().st_size > 1000]


class _OpensAsIs:
    def start(self, run):
        self._file = (run.log_dir / "metrics.jsonl").open("w")

    def write(self, report):
        self._file.write("x")
        self._file.flush()

    def add_video(self, path, iteration): ...

    def close(self, status):
        self._file.close()


def test_the_others_go_on_when_one_raises(make_run, make_report, tmp_path):
    said: list[str] = []
    writer = FanOut([_Raises(), JsonlWriter()], report=said.append)
    writer.start(make_run())
    writer.write(make_report(1))
    writer.write(make_report(2))
    writer.close("finished")
    assert said == ["_Raises stopped (connection lost); the training goes on without it."]
    assert len(list(read_metrics(tmp_path / "metrics.jsonl"))) == 2


class _Raises:
    def start(self, run): ...

    def write(self, report):
        raise RuntimeError("connection lost\nwith a long story")

    def add_video(self, path, iteration): ...

    def close(self, status):
        raise RuntimeError("not even this")


def test_a_failing_report_is_no_reason_to_stop(make_run, make_report):
    def fail(text):
        raise BrokenPipeError

    writer = FanOut([_Raises()], report=fail)
    writer.start(make_run())
    writer.write(make_report(1))


def test_ctrl_c_goes_through(make_run, make_report):
    class Interrupted(_Raises):
        def write(self, report):
            raise KeyboardInterrupt

    writer = FanOut([Interrupted()], report=print)
    writer.start(make_run())
    with pytest.raises(KeyboardInterrupt):
        writer.write(make_report(1))


def test_it_can_be_started_again(make_run, make_report, tmp_path):
    writer = FanOut([JsonlWriter()], report=print)
    writer.start(make_run())
    writer.write(make_report(1))
    writer.close("finished")
    writer.start(make_run(resumed_from=1))
    writer.write(make_report(2))
    writer.close("finished")
    assert len(list(read_metrics(tmp_path / "metrics.jsonl"))) == 2


def test_a_folder_that_cannot_be_made_is_an_error_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Not a directory|File exists"):
        check_writable(tmp_path / "file" / "run")


def test_a_read_only_folder_is_an_error_at_the_start(tmp_path):
    """In a process that is not root's, because root may write everywhere."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own folders are closed to other users
    folder.chmod(0o555)
    source = Path(fanout.__file__).parents[3]
    code = f"""
import os, sys
sys.path.insert(0, {str(source)!r})
from pathlib import Path
from fleetfoot.errors import OutputError
from fleetfoot.runners.logging.fanout import check_writable
if os.geteuid() == 0:
    os.setuid({NOBODY})
try:
    check_writable(Path({str(folder)!r}) / "run")
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True)
    folder.rmdir()
    assert "Permission denied" in done.stdout, done.stderr


def test_a_folder_without_space_is_an_error_at_the_start(tmp_path):
    script = """
        import resource, signal, sys
        from pathlib import Path
        from fleetfoot.errors import OutputError
        from fleetfoot.runners.logging.fanout import check_writable
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            check_writable(Path(sys.argv[1]))
        except OutputError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    source = str(Path(__file__).parents[4] / "source")
    environment = {**os.environ, "PYTHONPATH": source}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert "File too large" in said
    assert list(tmp_path.iterdir()) == []


def test_a_writable_folder_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "a" / "run")
    assert list((tmp_path / "a" / "run").iterdir()) == []
