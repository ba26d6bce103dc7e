"""What is found, translated, changed and refused; nothing is simulated."""

import json

import pytest
from mjlab.tasks.registry import list_tasks, load_rl_cfg

from fleetfoot.cli.help import describe_values
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.simulators import Request, choose_task

GO1 = "Mjlab-Velocity-Flat-Unitree-Go1"
SEES_POINTS = {"Mjlab-Lift-Cube-Yam-Depth", "Mjlab-Lift-Cube-Yam-Rgb", "Mjlab-Multi-Cube-Seg-Yam"}


def find(name: str, *words: str):
    return choose_task(name, "mjlab", Request(words=words))[1]


def overridden(path: str, text: str):
    task = find(GO1)
    return task.cfgs.override(task.env_cfg(), {path: text})


@pytest.mark.parametrize("name", list_tasks())
def test_agents_are_translated(name):
    if name in SEES_POINTS:
        with pytest.raises(ConfigError, match="SpatialSoftmaxCNNModel"):
            find(name).agents["ppo"]()
        return
    ours, theirs = find(name).agents["ppo"](), load_rl_cfg(name)
    assert ours.experiment_name == theirs.experiment_name
    assert ours.max_iterations == theirs.max_iterations
    assert ours.actor.network.hidden_dims == theirs.actor.hidden_dims
    assert ours.algorithm.entropy_coef == theirs.algorithm.entropy_coef
    assert ours.algorithm.time_limit_bootstrap == "final_observation"
    assert ours.logger == "tensorboard"


@pytest.mark.parametrize("name", list_tasks())
def test_configs_survive_json(name):
    task = find(name)
    cfg = task.cfgs.override(task.env_cfg(), {"scene.num_envs": "7", "seed": "5", "decimation": "3"})
    data = json.loads(json.dumps(task.cfgs.encode(cfg)))
    again = task.cfgs.decode(task.env_cfg(), data, where="env")
    assert task.cfgs.encode(again) == data
    assert (task.cfgs.num_envs(again), task.cfgs.seed(again), again.decimation) == (7, 5, 3)
    assert task.env_cfg().scene.num_envs == 1


def test_any_field_can_be_set():
    assert overridden("rewards.pose.weight", "0.5").rewards["pose"].weight == 0.5
    assert overridden("commands.twist.ranges.lin_vel_x", "[-1, 2]").commands["twist"].ranges.lin_vel_x == (-1.0, 2.0)
    assert overridden("events.push_robot", "null").events["push_robot"] is None
    assert overridden("viewer.origin_type", "WORLD").viewer.origin_type.name == "WORLD"
    assert overridden("scene.sensors.0.name", "123").scene.sensors[0].name == "123"
    changed = overridden("rewards.pose.params.std_standing", "{.*: 0.2}").rewards["pose"].params["std_standing"]
    assert changed == {".*": 0.2}


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("rewards.pos.weight", "1", r"env\.rewards\.pos: got an unknown field.*Did you mean 'pose'"),
        ("decimaton", "1", r"env\.decimaton: .*Did you mean 'decimation'"),
        ("decimation", "many", r"env\.decimation: got 'many'"),
        ("decimation", "true", r"env\.decimation: got true; expected a number"),
        ("decimation.x", "1", r"env\.decimation\.x: got a path below a plain value"),
        ("rewards.pose.func", "x", r"env\.rewards\.pose\.func: .*code"),
        ("viewer.origin_type", "WRLD", r"Did you mean 'WORLD'"),
        ("scene.num_envs", "0", r"env\.scene\.num_envs: got 0"),
        ("auto_reset", "true", r"env\.auto_reset"),
    ],
)
def test_what_cannot_be_set_is_named(path, text, message):
    with pytest.raises(ConfigError, match=message):
        overridden(path, text)


def test_a_checkpoint_of_another_task_is_refused():
    task, other = find(GO1), find("Mjlab-Cartpole-Balance")
    with pytest.raises(ConfigError, match=r"^env\."):
        task.cfgs.decode(task.env_cfg(), other.cfgs.encode(other.env_cfg()), where="env")


def test_play_is_as_in_mjlab_with_what_was_changed():
    task = find(GO1)
    cfg = task.play_mode(task.cfgs.override(task.env_cfg(), {"rewards.pose.weight": "0.5", "episode_length_s": "7"}))
    assert cfg.rewards["pose"].weight == 0.5
    assert cfg.episode_length_s == 1e9  # mjlab's play mode says so itself
    assert not cfg.observations["actor"].enable_corruption
    assert "push_robot" not in cfg.events


def test_a_task_is_found_without_naming_the_simulator():
    simulator, task = choose_task(GO1, "auto", Request())
    assert (simulator.name, task.simulator) == ("mjlab", "mjlab")


def test_wrong_names_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'Mjlab-Velocity-Flat-Unitree-Go1'"):
        find("Mjlab-Velocity-Flat-Unitree-Go2")
    with pytest.raises(ConfigError, match=r"env\.scene\.num_envs=64, without dashes"):
        find(GO1, "--env.scene.num-envs=64")


def test_a_motion_is_asked_for():
    task = find("Mjlab-Tracking-Flat-Unitree-G1")
    with pytest.raises(ConfigError, match=r"env\.commands\.motion\.motion_file: got ''.*npz"):
        task.make_env(task.env_cfg(), device="cpu", seed=0)


@pytest.mark.parametrize("name", list_tasks())
def test_help_shows_every_field(name):
    task = find(name)
    lines = describe_values(task.cfgs.fields(task.env_cfg()), "env")
    assert "  env.scene.num_envs=1" in lines
    assert any(line.startswith("  env.rewards.") for line in lines)
