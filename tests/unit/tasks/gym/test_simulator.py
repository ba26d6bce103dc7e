"""Gymnasium's environments by name: which are found, how they are made, and what is said of those that are not."""

from __future__ import annotations

from contextlib import closing

import gymnasium
import pytest

from fleetfoot.cli.arguments import parse
from fleetfoot.cli.main import main
from fleetfoot.cli.plan import make_plan
from fleetfoot.core.check import check_vec_env
from fleetfoot.envs.gym.adapter import GymnasiumEnv
from fleetfoot.envs.video import RenderedEnv
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.tasks.simulators import MUJOCO, Request, choose_task, find_simulators


def plan(*words: str):
    return make_plan(parse("train", words))


def test_its_names_say_so_or_it_is_asked_alone():
    simulator, task = choose_task("gymnasium:Pendulum-v1", "auto", Request())
    assert (simulator.name, task.name, task.simulator) == ("gymnasium", "gymnasium:Pendulum-v1", "gymnasium")
    assert choose_task("Pendulum-v1", "gymnasium", Request())[1].name == task.name
    assert choose_task("gymnasium:Pendulum-v1", "gymnasium", Request())[1].name == task.name
    assert choose_task("Cartpole", "auto", Request())[0] is MUJOCO
    with pytest.raises(ConfigError, match="--task: got 'Pendulum-v1'"):
        choose_task("Pendulum-v1", "auto", Request())
    assert [s.name for s in find_simulators()][-2:] == ["gymnasium", "mujoco"]


def test_what_it_does_not_have_it_says_itself():
    with pytest.raises(ConfigError, match=r"--task: got 'HalfCheeta-v5'; .*Did you mean: `HalfCheetah"):
        choose_task("gymnasium:HalfCheeta-v5", "auto", Request())
    with pytest.raises(ConfigError, match="no_such_module"):
        choose_task("gymnasium:no_such_module:Env-v0", "auto", Request())


def test_a_module_that_registers_it_is_imported():
    made = plan("--task", "gymnasium:fleetfoot.gymnasium:fleetfoot/Cartpole-v0", "env.max_episode_steps=20")
    assert made.agent_cfg.experiment_name == "fleetfoot.gymnasium_fleetfoot_Cartpole-v0"
    assert made.env_cfg.vectorization == "vector_entry_point", "it has no single environments"
    with closing(made.make_env("cpu", num_envs=2)) as env:
        check_vec_env(env)


def test_fields_of_its_config():
    made = plan(
        "--task",
        "gymnasium:HalfCheetah-v5",
        "--num_envs=3",
        "env.kwargs.forward_reward_weight=2.5",
        "env.max_episode_steps=50",
        "env.actions=rescale",
        "env.step_dt=0.1",
    )
    assert made.metadata()["env"]["kwargs"] == {"forward_reward_weight": 2.5}
    assert made.task.cfgs.decode(made.env_cfg, made.metadata()["env"], where="env") == made.env_cfg
    with closing(made.make_env("cpu")) as env:
        assert isinstance(env, GymnasiumEnv)
        assert isinstance(env, RenderedEnv)
        assert (env.num_envs, env.max_episode_length, env.step_dt) == (3, 50, 0.1)
        inner = env.env.unwrapped
        assert isinstance(inner, gymnasium.vector.SyncVectorEnv)
        assert inner.envs[0].unwrapped._forward_reward_weight == 2.5


def test_the_first_step_is_that_of_gymnasium():
    """The same seed, the same action: numbers as if `gymnasium.make` were stepped by hand."""
    import torch

    with closing(gymnasium.make("HalfCheetah-v5")) as theirs:
        first, _ = theirs.reset(seed=5)
        then, reward, *_ = theirs.step(theirs.action_space.high)
    with closing(plan("--task", "gymnasium:HalfCheetah-v5").make_env("cpu", num_envs=2)) as env:
        assert env.reset(5)["policy"][0].tolist() == pytest.approx(first.tolist())
        result = env.step(torch.full((2, 6), 9.0))
        assert result.obs["policy"][0].tolist() == pytest.approx(then.tolist(), rel=1e-6)
        assert float(result.reward[0]) == pytest.approx(float(reward))


@pytest.mark.slow
def test_processes_give_the_same_numbers():
    import torch

    def run(mode: str) -> list[float]:
        made = plan("--task", "gymnasium:Pendulum-v1", f"env.vectorization={mode}", "env.max_episode_steps=5")
        with closing(made.make_env("cpu", num_envs=2)) as env:
            check_vec_env(env, num_steps=16)
            env.reset(3)
            steps = [env.step(torch.full((2, 1), 0.3)) for _ in range(12)]
        return [x for step in steps for x in step.obs["policy"].flatten().tolist()]

    assert run("async") == run("sync")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gymnasium:Pendulum-v1", "env.vectorization=vector_entry_point"], "doesn't have a vector entry point"),
        (["gymnasium:Pendulum-v1", "env.kwargs.no_such=1"], "no_such"),
        (["gymnasium:CartPole-v1"], "action_space: got Discrete"),
    ],
)
def test_what_cannot_be_made(words, message):
    with pytest.raises(ValueError, match=message):
        plan("--task", *words).make_env("cpu", num_envs=1)


def test_agents_are_for_any_id():
    half_cheetah, pendulum = (
        plan("--task", f"gymnasium:{name}").agent_cfg for name in ("HalfCheetah-v5", "Pendulum-v1")
    )
    assert isinstance(half_cheetah, OnPolicyRunnerCfg)
    assert isinstance(pendulum, OnPolicyRunnerCfg)
    assert (half_cheetah.experiment_name, half_cheetah.algorithm.gamma) == ("HalfCheetah-v5", 0.99)
    assert (pendulum.experiment_name, pendulum.algorithm.gamma) == ("Pendulum-v1", 0.9)
    assert half_cheetah.max_iterations * half_cheetah.num_steps_per_env * 8 == pytest.approx(1e6, rel=1e-2)


def test_help_shows_its_fields(capsys):
    assert main(["train", "--task", "gymnasium:Pendulum-v1", "--help"]) == 0
    assert "env.vectorization" in capsys.readouterr().out
