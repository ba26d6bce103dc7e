import shutil

import pytest
import torch

from fleetfoot.runners.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

# Saved after every iteration, so that stopping adds no checkpoint, and so no candidate for the best one.
SMALL = ("--task", "Cartpole", "--num_envs", "16", "--log_root", "logs", "--no_final_video", "agent.save_interval=1")


def differing(one, other, path="") -> list[str]:
    """Where two nested states differ, wall clock times left out."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [found for key in one if key != "seconds" for found in differing(one[key], other[key], f"{path}/{key}")]
    if isinstance(one, (list, tuple)):
        return [
            found for i, pair in enumerate(zip(one, other, strict=True)) for found in differing(*pair, f"{path}/{i}")
        ]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [path]


def run_of(cwd):
    (run,) = (cwd / "logs" / "cartpole").iterdir()
    return run


@pytest.fixture(scope="module")
def whole_and_half(script, tmp_path_factory):
    """Folders in which a run of four iterations, and the first two of them, were trained."""
    folders = []
    for iterations in ("4", "2"):
        folders.append(tmp_path_factory.mktemp(f"iterations{iterations}"))
        assert script("train", *SMALL, "--max_iterations", iterations, cwd=folders[-1]).returncode == 0
    return folders


@pytest.mark.parametrize("by_path", [False, True])
def test_a_run_that_goes_on_is_the_run_that_never_stopped(script, whole_and_half, tmp_path, by_path):
    whole, half = whole_and_half
    shutil.copytree(half, tmp_path, dirs_exist_ok=True)
    which = ["--checkpoint", str(run_of(tmp_path) / "checkpoints" / "model_2.pt")] if by_path else []
    words = ["--task", "Cartpole", "--log_root", "logs", "--no_final_video", "--resume", "--max_iterations", "4"]
    done = script("train", *words, *which, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ends = [load_checkpoint(run_of(cwd) / "checkpoints" / "model_4.pt").state for cwd in (whole, tmp_path)]
    assert differing(*ends) == []


def test_a_run_that_is_done_says_how_to_do_more(script, trained):
    run, _ = trained
    words = ["--task", "Cartpole", "--log_root", "logs", "--resume", "--checkpoint", str(run)]
    done = script("train", *words, cwd=run.parents[2])
    assert done.returncode == 2
    assert (
        "error: --max_iterations: got 3, and the checkpoint has done 3; expected more than the checkpoint has done. "
        "Pass --max_iterations 6, say." in done.stderr
    )
