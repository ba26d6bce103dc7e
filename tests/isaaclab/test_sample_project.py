"""examples/isaaclab_project: somebody's project beside Isaac Lab, with a task that fleetfoot trains."""

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "examples/isaaclab_project"
TASK = "SampleProject-Balance-Cartpole-Direct"


@pytest.fixture(scope="module")
def env(installation: Path, assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a shell in which an installation is active that has the project."""
    home = tmp_path_factory.mktemp("home")
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "VIRTUAL_ENV": str(installation)}
    env |= {key: os.environ[key] for key in ("WARP_CACHE_PATH",) if key in os.environ}
    env |= {"ISAACSIM_ASSET_ROOT": str(assets), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    words = ["install", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)]
    command = [str(installation / "bin/python"), "-m", "pip", *words]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=600)
    return env


@pytest.mark.slow
def test_its_task_is_trained_from_the_agent_that_it_names(launch, env, tmp_path: Path) -> None:
    words = ("--task", TASK, "--num_envs", "16", "--max_iterations", "2", "--device", "cpu", "--log_root", "logs")
    ran = launch("-p", "scripts/train.py", *words, env=env, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (run,) = (tmp_path / "logs/sample_balance").iterdir()
    assert list(run.rglob("model_*.pt"))


@pytest.mark.slow
def test_isaac_lab_lists_it_as_the_task_of_this_project(installation: Path, env) -> None:
    command = [str(installation / "bin/python"), "-m", "isaaclab", "list_envs"]
    ran = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=600)
    assert TASK in ran.stdout, ran.stderr
