"""From pictures to a policy: training through a CNN, going on with it, exporting and judging it."""

import json
import shutil
from dataclasses import replace

import onnx
import pytest

from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.tasks.registry import find_task

pytestmark = pytest.mark.slow

TASK = ("--task", "Cartpole-Camera", "--log_root", "logs")
SMALL = (*TASK, "--num_envs", "8", "agent.num_steps_per_env=8", "agent.save_interval=1")
SHARED = ("agent.obs_groups.critic=[camera]", "agent.algorithm.share_cnn_encoders=true")
SCALED = ("agent.actor.obs_normalization=[camera]", "agent.critic.obs_normalization=[camera]")


def run_of(cwd):
    (run,) = (cwd / "logs" / "cartpole_camera").iterdir()
    return run


@pytest.fixture(scope="module")
def trained(script, tmp_path_factory):
    """The folder of a run of two iterations, with all that is made of it."""
    cwd = tmp_path_factory.mktemp("pictures")
    done = script("train", *SMALL, "--max_iterations", "2", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return run_of(cwd)


def test_everything_is_made_of_a_policy_that_sees(trained):
    assert (trained / "exported" / "policy.pt").exists()
    assert list((trained / "videos").glob("*.mp4"))
    model = onnx.load(trained / "exported" / "policy.onnx")
    assert [entry.name for entry in model.graph.input] == ["camera"]
    contract = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "fleetfoot"))
    (image,) = contract["images"]
    assert (image["name"], image["shape"], image["frames"]) == ("camera", [2, 24, 64], 2)
    assert (image["colour"], image["range"], image["first_frame"]) == ("grey", [0.0, 1.0], "oldest")
    assert (contract["num_observations"], contract["observations"]) == (0, [])


def test_it_is_judged(script, trained):
    words = [*TASK, "--checkpoint", str(trained), "--num_envs", "4", "--seconds", "1"]
    done = script("evaluate", *words, cwd=trained.parents[2])
    assert done.returncode == 0, done.stderr


def test_a_run_that_goes_on_sees_the_same_pictures(script, trained, tmp_path):
    """Three iterations in one go, and two and one, have the same weights and the same pictures in the end."""
    shutil.copytree(trained.parents[2], tmp_path / "half")
    (tmp_path / "whole").mkdir()
    ends = []
    for name, words in (
        ("whole", SMALL),
        ("half", (*TASK, "--resume")),
    ):
        cwd = tmp_path / name
        done = script("train", *words, "--max_iterations", "3", "--no_final_video", cwd=cwd)
        assert done.returncode == 0, done.stderr
        ends.append(load_checkpoint(run_of(cwd) / "checkpoints" / "model_3.pt").state)
    one, other = ends
    weights = [state["algorithm"]["actor"] for state in ends]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    assert one["ranks"][0]["obs"]["camera"].equal(other["ranks"][0]["obs"]["camera"])


def test_the_critic_may_see_through_the_actors_network_what_is_scaled_by_channel(script, tmp_path):
    done = script("train", *SMALL, *SHARED, *SCALED, "--max_iterations", "1", "--no_final_video", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    state = load_checkpoint(run_of(tmp_path) / "checkpoints" / "model_1.pt").state["algorithm"]
    shared = [name for name in state["actor"] if "encoders" in name]
    assert shared
    assert all(state["actor"][name].equal(state["critic"][name]) for name in shared)
    assert state["actor"]["inputs.normalizers.camera.count"] == 8 * 8 * 24 * 64
    assert (state["actor"]["inputs.normalizers.camera.mean"] > 0.0).all()
    assert (run_of(tmp_path) / "exported" / "policy.onnx").exists()


def test_it_learns_to_balance_what_it_sees():
    task = find_task("Cartpole-Camera")
    cfg = task.agents["ppo"]()
    env = task.make_env(task.env_cfg(), device="cpu", seed=cfg.seed)
    runner = OnPolicyRunner(env, replace(cfg, seed=3))
    runner.learn(5)
    untrained = runner.scalars["Train/mean_episode_length"]
    runner.learn(25)
    env.close()
    assert untrained < 35
    assert runner.scalars["Train/mean_episode_length"] > 2 * untrained
