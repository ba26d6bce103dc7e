"""Ours as a vector environment of Gymnasium: spaces, seeds, last observations, and Gymnasium's own wrappers."""

from __future__ import annotations

import warnings
from contextlib import closing

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_space_limit, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import ClipReward, DictInfoToList, RecordEpisodeStatistics

from fleetfoot.core.check import check_vec_env
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.envs.gym.adapter import GymnasiumEnv
from fleetfoot.envs.gym.vector import FleetfootVectorEnv
from fleetfoot.errors import ConfigError, ContractError

N, LIMIT = 3, 4


def toy(**options) -> FleetfootVectorEnv:
    return FleetfootVectorEnv(ToyEnv(N, max_episode_length=LIMIT, terminate_after=[2]), **options)


def roll_out(env, seed: int, steps: int = 9):
    env.action_space.seed(seed)
    obs, infos = env.reset(seed=seed)
    return [(obs, infos), *(env.step(env.action_space.sample()) for _ in range(steps))]


@pytest.mark.parametrize("observations", ["policy", "critic", ("policy", "critic")])
def test_spaces_contain_everything(observations):
    env = toy(observations=observations)
    for step in roll_out(env, 1):
        assert step[0] in env.observation_space
        for last in step[-1].get("final_obs", []):
            assert last is None or last in env.single_observation_space
    check_space_limit(toy(max_action=1.0).single_action_space, "action")


def test_types_are_those_that_gymnasium_expects():
    env = toy()
    obs, reward, terminated, truncated, infos = roll_out(env, 1)[-1]
    assert (obs.shape, obs.dtype) == ((N, 2), np.float32)
    assert (reward.shape, reward.dtype) == ((N,), np.float32)
    assert (terminated.dtype, truncated.dtype, type(infos)) == (np.bool_, np.bool_, dict)
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.metadata["render_fps"] == 10


def test_the_same_seed_gives_the_same_steps():
    env = toy(observations=("policy", "critic"))
    assert data_equivalence(roll_out(env, 3), roll_out(env, 3), exact=True)
    assert not data_equivalence(roll_out(env, 3)[0], roll_out(env, 4)[0])
    assert env.np_random_seed == 4


def test_last_observations_are_where_gymnasium_puts_them():
    """The same keys, types and masks as those of Gymnasium's own environments that reset in the same step."""

    class One(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)

        def __init__(self, ends_after):
            self.ends_after = ends_after

        def reset(self, *, seed=None, options=None):
            self.count = 0
            return np.zeros(2, np.float32), {}

        def step(self, action):
            self.count += 1
            return np.ones(2, np.float32), 0.0, self.count >= self.ends_after, False, {}

    theirs = SyncVectorEnv([lambda n=n: One(n) for n in (2, 9, 9)], autoreset_mode=AutoresetMode.SAME_STEP)
    ours, actions = toy(), np.zeros((N, 1), np.float32)
    for env in (theirs, ours):
        env.reset(seed=0)
        assert env.step(actions)[-1] == {}
    expected, got = theirs.step(actions)[-1], ours.step(actions)[-1]
    assert set(got) == set(expected) == {"final_obs", "_final_obs", "final_info", "_final_info"}
    for key, value in expected.items():
        assert type(got[key]) is type(value), key
    assert got["final_obs"].dtype == expected["final_obs"].dtype == object
    assert got["_final_obs"].tolist() == expected["_final_obs"].tolist() == [True, False, False]
    assert got["final_obs"][0] == pytest.approx([got["final_obs"][0][0], 2 / LIMIT])
    assert got["final_obs"][1] is None


def test_terminated_and_truncated_are_kept_apart():
    history = roll_out(toy(), 0, steps=LIMIT)
    assert [step[2].tolist() for step in history[1:]] == [[t, False, False] for t in (False, True, False, True)]
    assert [step[3].tolist() for step in history[1:]] == [[False, t, t] for t in (False, False, False, True)]


def test_arrays_share_our_memory_and_stay_as_they_are():
    env = toy()
    obs, _ = env.reset(seed=0)
    before = obs.copy()
    env.step(np.ones((N, 1), np.float32))
    assert (obs == before).all()
    tensors = env.env.reset(0)
    env.env.reset = lambda seed=None: tensors
    assert np.shares_memory(env.reset()[0], tensors["policy"].numpy())


def test_actions_end_where_they_are_told_to():
    env = toy(max_action=0.5)
    assert env.single_action_space == gymnasium.spaces.Box(-0.5, 0.5, (1,), np.float32)
    start, _ = env.reset(seed=0)
    given = np.full((N, 1), 7.0)
    after = env.step(given)[0]
    assert after[:, 0] == pytest.approx(start[:, 0] + 0.05)
    assert (given == 7.0).all(), "the learner's own array"
    assert toy().single_action_space.high == 100.0
    assert toy(max_action=None).single_action_space.high == np.inf


def test_gymnasiums_wrappers_work_around_it():
    with closing(DictInfoToList(RecordEpisodeStatistics(ClipReward(toy(), -1.0, 1.0)))) as env:
        *_, infos = roll_out(env, 0, steps=2)[-1]
        assert infos[0]["episode"]["l"] == 2
        assert "final_obs" in infos[0]
        assert infos[1] == {}


def test_there_and_back_again():
    with closing(GymnasiumEnv(toy(), seed=0, max_episode_length=LIMIT)) as env:
        check_vec_env(env)


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="observations: got 'eye'; expected a group of this environment: policy, c"):
        toy(observations="eye")
    with pytest.raises(ConfigError, match=r"reset\(options\): got \['reset_mask'\]"):
        toy().reset(options={"reset_mask": np.ones(N, bool)})
    with pytest.raises(ContractError, match=r"step\(actions\)\.shape"):
        toy().step(np.zeros((N, 2)))


def test_it_is_closed_once():
    env, closed = toy(), []
    env.env.close = lambda: closed.append(True)
    env.close()
    env.close()
    assert closed == [True]


def test_on_a_device(device):
    with warnings.catch_warnings(action="error"):
        env = FleetfootVectorEnv(ToyEnv(N, device=torch.device(device)))
        assert roll_out(env, 0)[-1][0] in env.observation_space
