"""An environment and a config as they are made for rsl_rl."""

import copy

import pytest
import torch

CFG = {
    "seed": 3,
    "num_steps_per_env": 4,
    "save_interval": 2,
    "obs_groups": {"actor": ["policy"], "critic": ["policy", "more"]},
    "algorithm": {"class_name": "PPO", "num_mini_batches": 2},
    "actor": {
        "class_name": "MLPModel",
        "hidden_dims": [8],
        "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.5},
    },
    "critic": {"class_name": "MLPModel", "hidden_dims": [8]},
}


class TheirEnv:
    """Counts steps; every tensor is overwritten by the next one, as simulators do."""

    def __init__(self, num_envs=4, max_episode_length=5):
        self.num_envs, self.num_actions, self.device = num_envs, 2, "cpu"
        self.max_episode_length = max_episode_length
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.int64)
        self.obs = {"policy": torch.zeros(num_envs, 3), "more": torch.zeros(num_envs, 1), "nested": {"of": "more"}}
        self.said = {"distance": torch.zeros(()), "Term/lost": 0.25}
        self.num_steps = 0

    def get_observations(self):
        return self.obs

    def step(self, actions):
        assert actions.shape == (self.num_envs, 2)
        self.num_steps += 1
        self.episode_length_buf += 1
        time_outs = self.episode_length_buf >= self.max_episode_length
        self.episode_length_buf[time_outs] = 0
        self.obs["policy"][:, 0] += 1
        self.said["distance"] += 1
        reward = -actions.square().sum(-1)
        return self.obs, reward, time_outs.long(), {"time_outs": time_outs, "log": self.said}


@pytest.fixture
def theirs():
    """An environment for rsl_rl that has its observations in a plain dict."""
    return TheirEnv()


@pytest.fixture
def their_cfg():
    """The smallest config for it."""
    return copy.deepcopy(CFG)
