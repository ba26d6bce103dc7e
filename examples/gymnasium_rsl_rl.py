"""rsl_rl trains in an environment of fleetfoot, taken from Gymnasium.

    ./isaaclab.sh -p examples/gymnasium_rsl_rl.py fleetfoot/Cartpole-v0 50

rsl_rl has vector environments of its own kind; the class below makes one of any of Gymnasium's that resets in the same
step and observes in groups.
"""

import sys

import gymnasium
import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

import fleetfoot.gymnasium

MLP = {"class_name": "MLPModel", "hidden_dims": [64, 64], "activation": "elu"}
TRAIN_CFG = {
    "num_steps_per_env": 16,
    "save_interval": 1000,
    "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
    "algorithm": {"class_name": "PPO", "learning_rate": 1e-3, "schedule": "adaptive", "entropy_coef": 0.005},
    "actor": MLP | {"distribution_cfg": {"class_name": "GaussianDistribution"}},
    "critic": MLP,
}


class RslRlVecEnv(VecEnv):
    device = "cpu"

    def __init__(self, envs: gymnasium.vector.VectorEnv, max_episode_length: int) -> None:
        self.envs, self.cfg, self.max_episode_length = envs, {}, max_episode_length
        self.num_envs, self.num_actions = envs.action_space.shape
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self.obs, _ = envs.reset(seed=0)

    def get_observations(self):
        groups = {name: torch.from_numpy(values) for name, values in self.obs.items()}
        return TensorDict(groups, batch_size=[self.num_envs])

    def step(self, actions):
        self.obs, reward, terminated, truncated, _ = self.envs.step(actions.numpy())
        done, time_outs = torch.from_numpy(terminated | truncated), torch.from_numpy(truncated)
        self.episode_length_buf = (self.episode_length_buf + 1).masked_fill(done, 0)
        return self.get_observations(), torch.from_numpy(reward), done.long(), {"time_outs": time_outs}


def main(task_id: str, num_iterations: int, num_envs: int = 64) -> OnPolicyRunner:
    envs = gymnasium.make_vec(task_id, num_envs=num_envs, observations=["policy"])
    runner = OnPolicyRunner(RslRlVecEnv(envs, envs.unwrapped.env.max_episode_length), TRAIN_CFG, None, "cpu")
    runner.learn(num_iterations)
    envs.close()
    return runner


if __name__ == "__main__":
    assert sys.argv[1] in fleetfoot.gymnasium.ids(), fleetfoot.gymnasium.ids()
    main(sys.argv[1], int(sys.argv[2]))
