"""Environments of the real Isaac Lab, on a CPU, as ours. One at a time: a process has one simulation."""

import gymnasium
import pytest
import torch

from fleetfoot.core.check import check_vec_env
from fleetfoot.errors import ContractError
from fleetfoot_isaaclab import simulator

AGENTS = "Isaac-Pendulum-MARL-Direct"
DIRECT, MANAGED, CAMERA = "Isaac-Cartpole-Direct", "Isaac-Cartpole", "Isaac-Cartpole-Camera-Direct"


def test_a_direct_environment_keeps_the_contract(made):
    with made(DIRECT, 4) as env:
        assert env.observation_spec == {"policy": (4,)}
        assert (env.action_spec.size, env.max_episode_length, env.step_dt) == (1, 300, pytest.approx(1 / 60))
        check_vec_env(env, num_steps=16)
        assert env.mirror_images == ()


def test_a_manager_based_environment_keeps_the_contract(made):
    with made(MANAGED, 4) as env:
        assert env.observation_spec == {"policy": (4,)}
        check_vec_env(env, num_steps=16)
        (image,) = env.mirror_images  # left for right: all signs turn
        assert image.observations["policy"].sign == (-1.0,) * 4
        assert image.actions.sign == (-1.0,)
        env.reset(0)
        env.episode_length.fill_(env.max_episode_length - 1)
        said = env.step(torch.zeros(4, 1)).metrics
        assert said["Episode_Termination/time_out"] == 1
        assert "Episode_Reward/alive" in said
        assert env.step(torch.zeros(4, 1)).metrics == {}  # nothing ended, so there is nothing to say


def test_a_step_gives_the_observation_before_the_reset(made):
    """An episode that is cut shows the state that one which goes on is in after the same step."""
    action = torch.full((2, 1), 0.3)
    with made(DIRECT, 2) as env:
        env.reset(7)
        going_on = env.step(action)
        assert going_on.final_obs is None
        env.reset(7)
        env.episode_length.fill_(env.max_episode_length - 1)
        cut = env.step(action)
        assert cut.truncated.tolist() == [True, True]
        assert cut.terminated.tolist() == [False, False]
        assert torch.equal(cut.final_obs["policy"], going_on.obs["policy"])
        assert not torch.equal(cut.obs["policy"], cut.final_obs["policy"])
        assert env.episode_length.tolist() == [0, 0]


LATE = {f"env.observations.policy.joint_vel_rel.delay_{bound}_lag": "2" for bound in ("min", "max")}
WITH_HISTORY = {"env.observations.policy.history_length": "3"}


@pytest.mark.parametrize("remembers", [WITH_HISTORY, LATE, WITH_HISTORY | LATE], ids=["history", "delay", "both"])
def test_the_observation_before_the_reset_has_the_newest_frame_of_a_history(made, remembers):
    """And looking at it does not move the history of the robot whose episode goes on."""
    actions = torch.linspace(-1.0, 1.0, 12).reshape(6, 2, 1)
    with made(MANAGED, 2, **remembers) as env:
        env.reset(7)
        going_on = [env.step(action) for action in actions]
        env.reset(7)
        for action in actions[:4]:
            env.step(action)
        env.episode_length[0] = env.max_episode_length - 1
        cut, after = env.step(actions[4]), env.step(actions[5])
        assert cut.truncated.tolist() == [True, False]
        assert torch.equal(cut.final_obs["policy"], going_on[4].obs["policy"])
        assert not torch.equal(cut.final_obs["policy"], going_on[3].obs["policy"])
        assert not torch.equal(cut.obs["policy"][0], going_on[4].obs["policy"][0])
        assert torch.equal(cut.obs["policy"][1], going_on[4].obs["policy"][1])
        assert torch.equal(after.obs["policy"][1], going_on[5].obs["policy"][1])


def test_a_history_keeps_the_contract(made):
    with made(MANAGED, 4, **WITH_HISTORY, **LATE) as env:
        assert env.observation_spec == {"policy": (12,)}
        check_vec_env(env, num_steps=16)


@pytest.fixture
def agents():
    """Isaac Lab's two agents of a double pendulum, with an agent that acts for both."""
    spec = gymnasium.spec(AGENTS)
    one = gymnasium.spec(DIRECT).kwargs["rsl_rl_cfg_entry_point"]
    gymnasium.register(
        id="Test-Pendulum-As-One",
        entry_point=spec.entry_point,
        disable_env_checker=True,
        kwargs={"env_cfg_entry_point": spec.kwargs["env_cfg_entry_point"], "rsl_rl_cfg_entry_point": one},
    )
    simulator._registered.cache_clear()
    yield "Test-Pendulum-As-One"
    del gymnasium.registry["Test-Pendulum-As-One"]
    simulator._registered.cache_clear()


def test_several_agents_act_as_one(made, agents):
    with made(agents, 4) as env:
        assert env.observation_spec == {"policy": (7,)}
        assert (env.action_spec.size, env.max_episode_length) == (2, 300)
        check_vec_env(env, num_steps=16)
        env.reset(7)
        going_on = env.step(torch.zeros(4, 2))
        env.reset(7)
        env.episode_length.fill_(env.max_episode_length - 1)
        cut = env.step(torch.zeros(4, 2))
        assert cut.truncated.tolist() == [True] * 4
        assert torch.equal(cut.final_obs["policy"], going_on.obs["policy"])


def test_what_several_agents_say_of_an_episode_is_said_once(made, agents):
    with made(agents, 2) as env:
        env.reset(0)
        env.episode_length[0] = env.max_episode_length - 1
        assert env.step(torch.zeros(2, 2)).metrics.keys() == {"Metrics/success_rate"}
        for _ in range(3):
            assert env.step(torch.zeros(2, 2)).metrics == {}
        env.episode_length[1] = env.max_episode_length - 1
        assert env.step(torch.zeros(2, 2)).metrics.keys() == {"Metrics/success_rate"}


def test_where_time_is_part_of_the_task_its_end_terminates(made):
    with made(DIRECT, 2, **{"env.is_finite_horizon": "true"}) as env:
        env.reset(7)
        env.episode_length.fill_(env.max_episode_length - 1)
        result = env.step(torch.zeros(2, 1))
        assert result.terminated.tolist() == [True, True]
        assert result.truncated.tolist() == [False, False]


def test_actions_are_clipped_as_the_agent_of_the_task_says(made):
    with made(DIRECT, 2, **{"env.clip_actions": "0.5"}) as env:
        assert env.action_spec.low == (-0.5,)
        env.reset(7)
        far = env.step(torch.full((2, 1), 9.0)).obs["policy"]
        env.reset(7)
        assert torch.equal(env.step(torch.full((2, 1), 0.5)).obs["policy"], far)
        env.reset(7)
        assert not torch.equal(env.step(torch.full((2, 1), 0.4)).obs["policy"], far)


def test_it_can_be_stepped_in_inference_mode_and_out_of_it(made):
    with made(DIRECT, 2) as env:
        with torch.inference_mode():
            env.reset(1)
            env.step(torch.zeros(2, 1))
        env.reset(2)
        reward = env.step(torch.zeros(2, 1)).reward
        assert not reward.is_inference()
        assert not reward.requires_grad


def test_a_seed_of_the_environment_alone_wins(made):
    with made(DIRECT, 2, seed=5, **{"env.seed": "9"}) as env:
        assert env.unwrapped.cfg.seed == 9
    with made(DIRECT, 2, seed=5) as env:
        assert env.unwrapped.cfg.seed == 5


@pytest.mark.slow
def test_pictures_are_observations_as_well(made):
    with made(CAMERA, 2) as env:
        assert env.observation_spec == {"policy": (6, 96, 96), "critic": (4,)}
        assert env.action_spec.high == (1.0,)
        check_vec_env(env, num_steps=4)


@pytest.mark.slow
def test_it_draws_the_first_robot(made):
    with made(DIRECT, 2) as env:
        env.reset(0)
        first = env.render()
        assert (first.shape, str(first.dtype)) == ((480, 640, 3), "uint8")
        for _ in range(20):
            env.step(torch.ones(2, 1))
        assert abs(first.astype(int) - env.render()).max() > 50  # the cart has moved


def test_what_no_policy_here_can_act_in_is_refused(made):
    gymnasium.register(
        id="Test-Discrete",
        entry_point=gymnasium.spec(DIRECT).entry_point,
        disable_env_checker=True,
        kwargs=gymnasium.spec(DIRECT).kwargs,
    )
    simulator._registered.cache_clear()
    with (
        pytest.raises(ContractError, match="action_space: got Discrete"),
        made("Test-Discrete", 2, **{"env.action_space": "{3}"}),
    ):
        pass
    with made(DIRECT, 2):  # what was refused is closed: another one can be made
        pass
