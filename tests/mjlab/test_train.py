"""The scripts as a user runs them, with a task of mjlab."""

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).parents[2]
TASK = ("--task", "Mjlab-Cartpole-Balance", "--sim", "mjlab", "--log_root", "logs")
SMALL = ("--num_envs", "8", "agent.num_steps_per_env=8", "--no_final_video")


def script(name: str, *words: str, cwd: Path) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "source"), str(ROOT / "extension")])}
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *TASK, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a run of two iterations."""
    cwd = tmp_path_factory.mktemp("mjlab")
    done = script("train", *SMALL, "--max_iterations", "2", "env.decimation=4", cwd=cwd)
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "logs" / "cartpole").iterdir()
    return run


def test_it_trains_and_exports(trained):
    assert (trained / "checkpoints" / "model_2.pt").is_file()
    properties = {p.key: p.value for p in onnx.load(trained / "exported" / "policy.onnx").metadata_props}
    contract = json.loads(properties["fleetfoot"])
    assert contract["task"] == "Mjlab-Cartpole-Balance"
    assert contract["joint_names"] == ["slider", "hinge_1"]


def test_it_goes_on_and_exports_again(trained):
    cwd = trained.parents[2]
    done = script(
        "train", "--resume", "--checkpoint", str(trained), "--max_iterations", "3", "--no_final_video", cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    assert (trained / "checkpoints" / "model_3.pt").is_file()
    assert "env:\n" not in (trained / "params" / "env.yaml").read_text()
    assert "decimation: 4" in (trained / "params" / "env.yaml").read_text()
    done = script("export", "--checkpoint", str(trained), "--output", "out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert (cwd / "out" / "policy.onnx").is_file()


def test_an_unknown_flag_is_refused(tmp_path):
    done = script("train", "--num_env", "8", cwd=tmp_path)
    assert (done.returncode, "--num_envs" in done.stderr) == (2, True)


def test_the_embedded_simulator_needs_a_newer_mujoco_and_says_so(tmp_path):
    done = script("train", "--task", "Cartpole", "--sim", "mujoco", cwd=tmp_path)
    assert done.returncode == 2
    assert "error: the embedded simulator: got MuJoCo 3.11" in done.stderr
    assert "expected 3.17 or newer" in done.stderr
    assert not (tmp_path / "logs").exists()
