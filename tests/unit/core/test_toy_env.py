import pytest
import torch

from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import StatefulEnv, VecEnv
from fleetfoot.errors import ContractError


@pytest.fixture
def env():
    """Three points; the second falls after two steps, all are cut after three."""
    return ToyEnv(3, max_episode_length=3, terminate_after=(9, 2))


def position(obs) -> torch.Tensor:
    return obs["policy"][:, 0]


def test_it_is_an_environment_that_can_say_its_state(env):
    assert isinstance(env, VecEnv)
    assert isinstance(env, StatefulEnv)


def test_a_step_moves_by_a_tenth_of_the_action_and_costs_the_square(env):
    start = position(env.reset(3))
    result = env.step(torch.tensor([[1.0], [-2.0], [0.0]]))
    moved = start + torch.tensor([0.1, -0.2, 0.0])
    torch.testing.assert_close(position(result.obs), moved)
    torch.testing.assert_close(result.reward, -(moved**2))


def test_observations_are_position_time_and_for_the_critic_the_index(env):
    env.reset(3)
    obs = env.step(torch.zeros(3, 1)).obs
    torch.testing.assert_close(obs["policy"][:, 1], torch.full((3,), 1 / 3))
    assert torch.equal(obs["critic"][:, :2], obs["policy"])
    assert obs["critic"][:, 2].tolist() == [0.0, 1.0, 2.0]


def test_episodes_end_when_they_should(env):
    env.reset(3)
    results = [env.step(torch.zeros(3, 1)) for _ in range(6)]
    assert [r.terminated.tolist() for r in results] == [
        [False, False, False],
        [False, True, False],
        [False, False, False],
        [False, True, False],
        [False, False, False],
        [False, True, False],
    ]
    assert [r.truncated.tolist() for r in results] == [
        [False, False, False],
        [False, False, False],
        [True, False, True],
        [False, False, False],
        [False, False, False],
        [True, False, True],
    ]


def test_falling_at_the_time_limit_is_falling():
    env = ToyEnv(1, max_episode_length=2, terminate_after=(2,))
    env.step(torch.zeros(1, 1))
    result = env.step(torch.zeros(1, 1))
    assert result.terminated.item()
    assert not result.truncated.item()


def test_the_final_observation_is_of_the_episode_that_ended(env):
    start = position(env.reset(3))
    env.step(torch.zeros(3, 1))
    result = env.step(torch.zeros(3, 1))
    assert position(result.final_obs)[1] == start[1]
    assert result.final_obs["policy"][1, 1] == pytest.approx(2 / 3)
    assert position(result.obs)[1] != start[1]
    assert result.obs["policy"][1, 1] == 0.0


def test_the_episode_counter_begins_again_where_an_episode_ended(env):
    env.reset(3)
    env.step(torch.zeros(3, 1))
    env.step(torch.zeros(3, 1))
    assert env.episode_length.tolist() == [2, 0, 2]


def test_a_seed_restarts_what_is_random(env):
    first = position(env.reset(3))
    assert torch.equal(position(env.reset(3)), first)
    assert not torch.equal(position(env.reset(4)), first)


def test_without_a_seed_a_reset_draws_on(env):
    first = position(env.reset(3))
    assert not torch.equal(position(env.reset()), first)


def test_a_state_brings_back_the_following_steps_bit_for_bit(env):
    env.reset(3)
    env.step(torch.ones(3, 1))
    state = env.state_dict()
    after = [env.step(torch.ones(3, 1)).obs["critic"] for _ in range(5)]
    env.load_state_dict(state)
    again = [env.step(torch.ones(3, 1)).obs["critic"] for _ in range(5)]
    assert all(torch.equal(a, b) for a, b in zip(after, again, strict=True))


@pytest.mark.parametrize("actions", [torch.zeros(3, 2), torch.zeros(2, 1), torch.zeros(3), torch.zeros(3, 1).long()])
def test_wrong_actions_are_refused(env, actions):
    with pytest.raises(ContractError):
        env.step(actions)
