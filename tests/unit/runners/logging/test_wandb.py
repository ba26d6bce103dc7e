import builtins
import json
import os
import socket
import struct
import subprocess
import sys

import pytest
import wandb

from fleetfoot.errors import ConfigError
from fleetfoot.runners.logging.wandb import WandbWriter

pytestmark = pytest.mark.filterwarnings("default")  # what wandb warns of is not ours


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path_factory):
    """No key, no settings of the person who runs the tests, no network."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{_closed_port()}")
    yield
    wandb.teardown()


def _closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def _train(run, reports, said, video=None):
    writer = WandbWriter(project="fleetfoot-tests", report=said.append)
    writer.start(run)
    for report in reports:
        writer.write(report)
    if video is not None:
        writer.add_video(video, reports[-1].iteration)
    writer.close("finished")


def _records(path):
    """The records of an offline run: protobufs in the log format of LevelDB, behind a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, offset, record, records = path.read_bytes(), 7, b"", []
    while offset + 7 <= len(data):
        left_in_block = 32768 - offset % 32768
        if left_in_block < 7:
            offset += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", data, offset + 4)
        record += data[offset + 7 : offset + 7 + length]
        offset += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            records.append(wandb_internal_pb2.Record.FromString(record))
            record = b""
    return records


def _history(path):
    rows = [record.history for record in _records(path) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item} for row in rows]


def test_without_a_key_it_is_offline_says_so_once_and_asks_nothing(make_run, make_report, tmp_path):
    said: list[str] = []
    video = tmp_path / "policy.mp4"
    video.write_bytes(b"\0" * 64)
    _train(make_run(), [make_report(i) for i in range(1, 4)], said, video)
    assert len(said) == 1
    assert "offline (no API key" in said[0]
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    rows = _history(file)
    assert [row["iteration"] for row in rows[:3]] == [1, 2, 3]
    assert rows[1]["Train/mean_reward"] == pytest.approx(make_report(2).scalars["Train/mean_reward"])
    assert any(key.startswith("Video/policy") for row in rows for key in row)
    (start,) = [record.run for record in _records(file) if record.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in start.config.update}
    assert config["agent"] == {"seed": 42}
    assert config["task"] == "Anymal-Flat"
    assert (start.run_id, start.project) == ("abc123", "fleetfoot-tests")


def test_a_resumed_training_continues_the_same_run(make_run, make_report, tmp_path):
    from dataclasses import replace

    _train(make_run(), [make_report(1)], [])
    _train(replace(make_run(resumed_from=1), run_id="another"), [make_report(2)], [])
    assert json.loads((tmp_path / "wandb_run.json").read_text()) == {"id": "abc123"}
    assert {path.name for path in tmp_path.glob("wandb/offline-run-*/*.wandb")} == {"run-abc123.wandb"}


def test_disabled_by_the_user(make_run, make_report, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    said: list[str] = []
    _train(make_run(), [make_report(1)], said)
    assert said == []
    assert not list(tmp_path.glob("wandb/*"))


@pytest.mark.slow
def test_without_a_network_it_goes_offline(make_run, make_report, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr("fleetfoot.runners.logging.wandb._INIT_TIMEOUT_S", 2.0)
    said: list[str] = []
    _train(make_run(), [make_report(1)], said)
    assert len(said) == 1
    assert said[0].startswith("W&B is offline (")
    assert _history(next(tmp_path.glob("wandb/offline-run-*/*.wandb")))[0]["iteration"] == 1


def test_a_missing_package_is_a_setting_that_cannot_work(make_run, monkeypatch):
    real = builtins.__import__

    def without_wandb(name, *args, **options):
        if name == "wandb":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_wandb)
    with pytest.raises(ConfigError, match=r"pip install 'fleetfoot\[wandb\]'"):
        WandbWriter(project="p").start(make_run())


def test_importing_the_writer_does_not_import_wandb():
    load = f"import sys; sys.path[:0] = {sys.path!r}; import fleetfoot.runners.logging.wandb"
    script = f"{load}; print('wandb' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_settings_that_wandb_refuses_are_an_error_before_anything_is_computed(make_run, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(ConfigError, match="W&B does not start"):
        WandbWriter(project="fleetfoot-tests").start(make_run())
