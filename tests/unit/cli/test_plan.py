import dataclasses
from dataclasses import replace

import pytest

from fleetfoot.cli.arguments import parse
from fleetfoot.cli.plan import make_plan
from fleetfoot.core.config import encode
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.runners.checkpoint import Checkpoint, save_checkpoint
from fleetfoot.tasks.registry import find_task


def plan(command, *words: str):
    return make_plan(parse(command, ["--task", "Cartpole", *words]))


def refusal(command, *words: str) -> str:
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        make_plan(parse(command, words))
    return str(caught.value)


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of Cartpole whose configs differ from the defaults."""
    task = find_task("Cartpole")
    env, agent = task.env_cfg(), task.agents["ppo"]()
    metadata = {
        "task": "Cartpole",
        "agent_name": "ppo",
        "iteration": 7,
        "env": encode(replace(env, effort_scale=55.0)),
        "agent": encode(replace(agent, num_steps_per_env=3, max_iterations=9)),
    }
    path = tmp_path / "logs" / "cartpole" / "2026-01-01_00-00-00" / "checkpoints" / "model_7.pt"
    save_checkpoint(path, Checkpoint(metadata=metadata, state={}))
    return path


@pytest.fixture
def log_root(tmp_path):
    return ["--log_root", str(tmp_path / "logs")]


def test_without_anything_it_is_the_task_as_it_is():
    made = plan("train")
    task = find_task("Cartpole")
    assert (made.env_cfg, made.agent_cfg) == (task.env_cfg(), task.agents["ppo"]())
    assert (made.agent_name, made.device, made.checkpoint) == ("ppo", "cpu", None)
    assert str(made.experiment_dir) == "logs/fleetfoot/cartpole"


@pytest.mark.parametrize(
    ("words", "read", "expected"),
    [
        (["--num_envs", "7"], lambda p: p.env_cfg.scene.num_envs, 7),
        (["--seed", "5"], lambda p: p.agent_cfg.seed, 5),
        (["--max_iterations", "3"], lambda p: p.agent_cfg.max_iterations, 3),
        (["--run_name", "2024"], lambda p: p.agent_cfg.run_name, "2024"),
        (["--experiment_name", "007"], lambda p: p.agent_cfg.experiment_name, "007"),
        (["--logger", "wandb"], lambda p: p.agent_cfg.logger, "wandb"),
    ],
)
def test_a_flag_is_a_shorter_way_to_write_a_field(words, read, expected):
    assert read(plan("train", *words)) == expected


def test_a_flag_and_an_override_that_mean_the_same_are_refused():
    with pytest.raises(ConfigError, match=r"--num_envs: got 7, and env\.scene\.num_envs=9"):
        plan("train", "--num_envs", "7", "env.scene.num_envs=9")


def test_overrides_reach_both_configs():
    made = plan("train", "env.effort_scale=50", "agent.algorithm.gamma=0.9")
    assert (made.env_cfg.effort_scale, made.agent_cfg.algorithm.gamma) == (50.0, 0.9)


@pytest.mark.parametrize("words", [["--experiment_name", "mine"], ["agent.experiment_name=mine"]])
def test_runs_go_into_the_folder_of_their_experiment(words, tmp_path):
    assert plan("train", "--log_root", str(tmp_path), *words).experiment_dir == tmp_path / "mine"


# --- with a checkpoint


@pytest.mark.parametrize("command", ["play", "evaluate", "export"])
@pytest.mark.parametrize("selector", ["latest", "path", "folder"])
def test_a_checkpoint_carries_its_configs(saved, log_root, command, selector):
    which = {"latest": "latest", "path": str(saved), "folder": str(saved.parents[1])}[selector]
    made = plan(command, *log_root, "--checkpoint", which)
    assert made.checkpoint == saved
    assert made.env_cfg.effort_scale == 55.0
    assert made.agent_cfg.num_steps_per_env == 3


def test_what_is_typed_is_set_on_top(saved, log_root):
    made = plan("play", *log_root, "--num_envs", "2", "env.effort_scale=66")
    assert (made.env_cfg.scene.num_envs, made.env_cfg.effort_scale) == (2, 66.0)


def test_going_on_takes_the_configs_and_the_count_of_the_run(saved, log_root):
    made = plan("train", *log_root, "--resume")
    assert made.checkpoint == saved
    assert (made.agent_cfg.num_steps_per_env, made.env_cfg.effort_scale) == (3, 55.0)
    assert made.iterations_done == 7


def test_lending_weights_takes_no_config(saved, log_root):
    made = plan("train", *log_root, "--checkpoint", str(saved))
    assert made.checkpoint == saved
    assert made.env_cfg.effort_scale == 100.0
    assert made.iterations_done == 0


def test_training_needs_no_checkpoint(saved, log_root):
    assert plan("train", *log_root).checkpoint is None


def test_noise_and_pushes_are_off_where_a_policy_is_judged(tmp_path):
    task = find_task("Anymal-Flat")
    agent_name = task.default_agent
    metadata = {
        "task": task.name,
        "agent_name": agent_name,
        "iteration": 1,
        "env": encode(task.env_cfg()),
        "agent": encode(task.agents[agent_name]()),
    }
    save_checkpoint(tmp_path / "model_1.pt", Checkpoint(metadata=metadata, state={}))
    words = ["--task", task.name, "--checkpoint", str(tmp_path / "model_1.pt")]
    made = make_plan(parse("evaluate", words)).env_cfg
    calm = task.play_mode(task.env_cfg())
    assert made == dataclasses.replace(calm, scene=dataclasses.replace(calm.scene, num_envs=128))
    assert not made.observations.enable_corruption
    typed = make_plan(parse("play", [*words, "--num_envs", "3", "env.events.push_interval=[3,4]"])).env_cfg
    assert (typed.scene.num_envs, typed.events.push_interval) == (3, (3.0, 4.0))
    back_on = make_plan(parse("evaluate", [*words, "env.observations.enable_corruption=true"]))
    assert back_on.env_cfg.observations.enable_corruption


# --- what cannot work

TASK = ("--task", "Cartpole")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--task: got nothing; expected one of "),
        (
            ("--task", "Cartpol"),
            "--task: got 'Cartpol'; expected the name of a task. Did you mean 'Cartpole'?",
        ),
        (
            (*TASK, "--agent", "pp"),
            "--agent: got 'pp'; expected an agent of Cartpole. Did you mean 'ppo'?",
        ),
        ((*TASK, "--num_envs", "0"), "env.scene.num_envs: got 0; expected greater than or equal to 1."),
        ((*TASK, "--seed", "-1"), "agent.seed: got -1; expected greater than or equal to 0."),
        ((*TASK, "--logger", "file"), "agent.logger: got \"file\"; expected 'tensorboard' or 'wandb'."),
        ((*TASK, "--experiment_name", "../x"), 'agent.experiment_name: got "../x"; expected text of the form'),
        (
            (*TASK, "env.rewards.alve=1"),
            "env.rewards.alve: got an unknown field; expected a field of env.rewards. Did you mean 'alive'?",
        ),
        ((*TASK, "env.sim.dt=-1"), "env.sim.dt: got -1; expected greater than 0."),
    ],
)
def test_what_cannot_work_is_said(words, message):
    assert refusal("train", *words).startswith(message)


def test_without_a_run_there_is_nothing_to_go_on_with(log_root):
    message = refusal("train", *TASK, *log_root, "--resume")
    assert message.startswith("--checkpoint latest: got no checkpoint in ")


def test_the_checkpoint_of_another_task_is_refused(tmp_path):
    path = tmp_path / "model_1.pt"
    save_checkpoint(path, Checkpoint(metadata={"task": "Anymal-Rough"}, state={}))
    assert refusal("play", *TASK, "--checkpoint", str(path)) == (
        f"{path}: got a checkpoint of task 'Anymal-Rough'; expected one of 'Cartpole'. Check --task and --checkpoint."
    )


def test_a_config_in_a_checkpoint_that_no_longer_fits_names_the_file(saved):
    task = find_task("Cartpole")
    metadata = {"task": "Cartpole", "agent_name": "ppo", "iteration": 1, "env": {"gone": 1}, "agent": {}}
    metadata["agent"] = encode(task.agents["ppo"]())
    save_checkpoint(saved, Checkpoint(metadata=metadata, state={}))
    message = refusal("play", *TASK, "--checkpoint", str(saved))
    assert message.startswith(f"{saved}: env.gone: got an unknown field;")
