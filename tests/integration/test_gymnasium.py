"""Learning across the border: ours in Gymnasium's environments, stable-baselines3 and rsl_rl in ours."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from torch.distributions import Normal

from fleetfoot.cli.main import main

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _torch_validates_as_before():
    """rsl_rl switches the validation of every distribution in the process off."""
    yield
    Normal.set_default_validate_args(True)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module


def only_file(folder: Path, pattern: str) -> Path:
    (found,) = folder.rglob(pattern)
    return found


def test_a_training_from_the_command_line(tmp_path: Path, capsys):
    """Trains, exports, films (in pictures), is played and goes on, as a task of our own."""
    where = ["--task", "gymnasium:HalfCheetah-v5", "--log_root", str(tmp_path)]
    few = ["--num_envs=2", "agent.num_steps_per_env=16", "agent.algorithm.num_mini_batches=2"]
    few += ["env.kwargs.width=64", "env.kwargs.height=64"]  # drawn in software
    assert main(["train", *where, *few, "--max_iterations=2", "--video", "--video_length=8"]) == 0
    for pattern in ("policy.onnx", "policy.pt", "policy-2.mp4", "rl-video-step-0.mp4"):
        assert only_file(tmp_path, pattern).stat().st_size > 1000
    assert "Metrics/reward_forward" in only_file(tmp_path, "metrics.jsonl").read_text()
    assert main(["play", *where, "--video", "--video_length=8"]) == 0
    assert only_file(tmp_path, "model_2.mp4").stat().st_size > 1000
    assert main(["train", *where, "--resume", "--max_iterations=3", "--no_final_video"]) == 0
    assert only_file(tmp_path, "model_3.pt").is_file()
    assert main(["evaluate", *where, "--seconds=1", "--num_envs=2"]) == 0
    assert "reward_forward" in capsys.readouterr().out


def test_stable_baselines3_learns_here(example):
    learner = example("gymnasium_sb3").main("fleetfoot/Cartpole-v0", 30_000)
    lengths = [episode["l"] for episode in learner.ep_info_buffer]
    assert sum(lengths) / len(lengths) > 60, "random actions: 40 steps"
    walker = example("gymnasium_sb3").main("fleetfoot/Anymal-Flat-v0", 1_000, num_envs=16)
    assert walker.num_timesteps >= 1_000


def test_rsl_rl_learns_here(example):
    runner = example("gymnasium_rsl_rl").main("fleetfoot/Cartpole-v0", 30)
    assert runner.current_learning_iteration == 29
    walker = example("gymnasium_rsl_rl").main("fleetfoot/Anymal-Flat-v0", 2, num_envs=16)
    assert walker.current_learning_iteration == 1
