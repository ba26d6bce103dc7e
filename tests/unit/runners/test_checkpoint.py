import json
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fleetfoot.errors import CheckpointError, OutputError
from fleetfoot.runners.checkpoint import (
    Checkpoint,
    describe_versions,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
    set_aside_later,
)

CHECKPOINT = Checkpoint(
    metadata={"task": "Toy", "iteration": 7, "nested": {"list": [1, 2.5, None, True]}},
    state={"weights": torch.arange(6.0).view(2, 3), "count": 3, "deep": {"flags": torch.tensor([True, False])}},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "model_7.pt"


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    return str(caught.value)


def test_what_is_saved_is_loaded(path):
    save_checkpoint(path, CHECKPOINT)
    loaded = load_checkpoint(path)
    assert loaded.metadata == CHECKPOINT.metadata
    assert torch.equal(loaded.state["weights"], CHECKPOINT.state["weights"])
    assert torch.equal(loaded.state["deep"]["flags"], CHECKPOINT.state["deep"]["flags"])
    assert loaded.state["count"] == 3


def test_the_file_says_what_it_is(path):
    save_checkpoint(path, CHECKPOINT)
    content = torch.load(path, weights_only=True)
    assert content["format"] == "fleetfoot.checkpoint"
    assert content["schema_version"] == 5
    assert json.loads(content["metadata"]) == CHECKPOINT.metadata


def test_nothing_but_the_checkpoint_lies_in_its_folder(path):
    save_checkpoint(path, CHECKPOINT)
    assert list(path.parent.iterdir()) == [path]


def test_versions_name_what_computed():
    assert set(describe_versions()) == {"fleetfoot", "torch"}


# --- files that are no checkpoint


def test_a_missing_file_is_named(path):
    assert refusal(path) == f"{path}: got no file; expected a checkpoint. Check the path."


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path).startswith(f"{tmp_path}: got no file;")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(path, share):
    save_checkpoint(path, CHECKPOINT)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    message = refusal(path)
    assert message.startswith(f"{path}: got a file that cannot be read (")
    assert message.endswith(
        "); expected a whole fleetfoot checkpoint. "
        "It is truncated or not a checkpoint: use an older one, model_<iteration>.pt."
    )


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04", b"\x80\x02.", bytes(1000), b"{}", b"\x89PNG\r\n\x1a\n"])
def test_any_other_file_is_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert "got a file that cannot be read" in refusal(path)


def test_the_weights_of_another_program_are_refused(path):
    path.parent.mkdir()
    torch.save({"model_state_dict": {"w": torch.zeros(2)}, "iter": 3}, path)
    assert refusal(path) == (f"{path}: got a file with ['iter', 'model_state_dict']; expected a fleetfoot checkpoint.")


def test_a_bare_tensor_is_refused(path):
    path.parent.mkdir()
    torch.save(torch.zeros(2), path)
    assert refusal(path) == f"{path}: got Tensor; expected a fleetfoot checkpoint."


class RunsCode:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_file_that_would_run_code_is_refused_without_running_it(path, tmp_path, write):
    path.parent.mkdir()
    trap = tmp_path / "trap"
    write({"format": "fleetfoot.checkpoint", "state": RunsCode(f"touch {trap}")}, path)
    assert "got a file that cannot be read" in refusal(path)
    assert not trap.exists()


def test_another_schema_version_is_refused(path):
    path.parent.mkdir()
    torch.save({"format": "fleetfoot.checkpoint", "schema_version": 99, "metadata": "{}", "state": {}}, path)
    expected = "got schema version 99; expected schema version 5. Use the fleetfoot that wrote it."
    assert refusal(path) == f"{path}: {expected}"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_an_exported_policy_is_refused(path):
    path.parent.mkdir()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2)), path)
    assert "got a file that cannot be read" in refusal(path)


# --- writes that fail


def test_a_full_disk_leaves_the_old_checkpoint(path):
    save_checkpoint(path, CHECKPOINT)
    (path.parent / f".{path.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=str(path)):
        save_checkpoint(path, Checkpoint(metadata={"iteration": 8}, state={"weights": torch.zeros(100_000)}))
    assert load_checkpoint(path).metadata == CHECKPOINT.metadata
    assert list(path.parent.iterdir()) == [path]


def test_a_limit_on_the_size_of_files_leaves_the_old_checkpoint(path):
    """While this process may write no more than 64 KiB into a file."""
    save_checkpoint(path, CHECKPOINT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    try:
        with pytest.raises(OutputError, match=f"^{re.escape(str(path))}: got "):
            save_checkpoint(path, Checkpoint(metadata={}, state={"weights": torch.zeros(100_000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(path).metadata == CHECKPOINT.metadata
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(path):
    code = f"""
import torch
from pathlib import Path
from fleetfoot.runners.checkpoint import Checkpoint, save_checkpoint
number = 0
while True:
    number += 1
    state = {{"weights": torch.full((500_000,), float(number))}}
    save_checkpoint(Path({str(path)!r}), Checkpoint(metadata={{"iteration": number}}, state=state))
"""
    for after in (0.02, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)})
        path.unlink(missing_ok=True)
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        loaded = load_checkpoint(path)
        assert loaded.state["weights"].eq(loaded.metadata["iteration"]).all()


# --- what --checkpoint means


def touch(*paths: Path) -> None:
    for each in paths:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()


def test_latest_is_the_highest_iteration_of_the_newest_run_that_has_one(tmp_path):
    new, old = tmp_path / "2026-01-02_10-00-00" / "checkpoints", tmp_path / "2026-01-01_10-00-00" / "checkpoints"
    touch(new / "model_9.pt", new / "model_100.pt", new / "best.pt", old / "model_500.pt")
    (tmp_path / "2026-01-03_10-00-00").mkdir()
    assert find_checkpoint("latest", tmp_path) == new / "model_100.pt"


def test_best_is_the_best_of_the_newest_run_that_has_one(tmp_path):
    new, old = tmp_path / "2026-01-02_10-00-00" / "checkpoints", tmp_path / "2026-01-01_10-00-00" / "checkpoints"
    touch(new / "model_9.pt", old / "model_500.pt", old / "best.pt")
    assert find_checkpoint("best", tmp_path) == old / "best.pt"


def test_other_names_are_no_checkpoints(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    touch(folder / "model_3.pt", folder / "model_x.pt", folder / "model_4.pt.bak", folder / ".model_5.pt.77.tmp")
    assert find_checkpoint("latest", tmp_path) == folder / "model_3.pt"


def test_a_path_is_that_file(tmp_path):
    assert find_checkpoint(str(tmp_path / "any.pt"), tmp_path / "elsewhere") == tmp_path / "any.pt"


@pytest.mark.parametrize("below", ["", "checkpoints"])
def test_a_run_folder_means_its_latest(tmp_path, below):
    touch(tmp_path / "run" / "checkpoints" / "model_2.pt", tmp_path / "run" / "checkpoints" / "model_10.pt")
    found = find_checkpoint(str(tmp_path / "run" / below), tmp_path)
    assert found == tmp_path / "run" / "checkpoints" / "model_10.pt"


def test_a_folder_without_checkpoints_is_refused_when_it_is_loaded(tmp_path):
    assert refusal(find_checkpoint(str(tmp_path), tmp_path)).startswith(f"{tmp_path}: got no file")


@pytest.mark.parametrize("selector", ["latest", "best"])
def test_without_any_run_the_folder_that_was_searched_is_named(tmp_path, selector):
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(selector, tmp_path / "cartpole")
    assert str(caught.value) == (
        f"--checkpoint {selector}: got no checkpoint in {tmp_path / 'cartpole'}; "
        "expected at least one run with a checkpoint. Train first, or give a path."
    )


def test_checkpoints_of_a_branch_that_is_given_up_are_meant_no_more(tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    for name, iteration in (("model_2.pt", 2), ("model_4.pt", 4), ("model_10.pt", 10), ("best.pt", 10)):
        save_checkpoint(folder / name, Checkpoint(metadata={"iteration": iteration}, state={}))
    set_aside_later(folder, 4)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["best.pt.void", "model_10.pt.void", "model_2.pt", "model_4.pt"]
    assert find_checkpoint("latest", tmp_path) == folder / "model_4.pt"


def test_an_earlier_best_stays(tmp_path):
    save_checkpoint(tmp_path / "best.pt", Checkpoint(metadata={"iteration": 3}, state={}))
    set_aside_later(tmp_path, 3)
    assert (tmp_path / "best.pt").is_file()
