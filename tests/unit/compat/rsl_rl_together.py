"""Run by test_rsl_rl_together.py as two ranks, and as one process with the environments of both.

It is a script as it is written for rsl_rl: it joins nobody, and never says that it is done.
"""

import os
import sys
from pathlib import Path

import torch

from fleetfoot.compat.rsl_rl import DistillationRunner, OnPolicyRunner
from fleetfoot.errors import ConfigError, RankError
from fleetfoot.models.distributions import Gaussian

folder, rank, world_size = Path(sys.argv[1]), int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))

# What is random about an action follows from its mean, so that it does not matter which process it is drawn in.
Gaussian.sample = lambda self, generator: self.mean + self.std * torch.sin(9 * self.mean)


class Points:
    """Eight points in the plane, of which each of two processes has its half; they begin anew every five steps."""

    num_actions, max_episode_length, device = 2, 5, "cpu"

    def __init__(self, fails_from: int = 10**6):
        self.start = torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).chunk(world_size)[rank]
        self.num_envs = len(self.start)
        self.at, self.episode_length_buf = self.start.clone(), torch.arange(8).chunk(world_size)[rank] % 3
        self.steps, self.fails_from = 0, fails_from

    def get_observations(self):
        return {"policy": self.at.clone(), "full": torch.cat((self.at, self.at.square()), -1)}

    def step(self, actions):
        self.steps += 1
        if self.steps == self.fails_from:
            raise ZeroDivisionError("on purpose")
        self.at = self.at + 0.1 * actions
        self.episode_length_buf = self.episode_length_buf + 1
        reward, ended = -self.at.square().sum(-1), self.episode_length_buf >= self.max_episode_length
        self.at[ended], self.episode_length_buf[ended] = 0.9 * self.start[ended], 0
        return self.get_observations(), reward, ended.long(), {"time_outs": ended}


MODEL = {"class_name": "MLPModel", "hidden_dims": [8], "obs_normalization": True}
POLICY = MODEL | {"distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.5}}
RUN = {"seed": 3, "num_steps_per_env": 8, "save_interval": 2}
PPO = RUN | {
    "obs_groups": {"actor": ["policy"], "critic": ["full"]},
    "algorithm": {"class_name": "PPO", "num_mini_batches": 1, "num_learning_epochs": 3},
    "actor": POLICY,
    "critic": MODEL,
}
DISTILLATION = RUN | {
    "obs_groups": {"student": ["policy"], "teacher": ["policy"]},
    "algorithm": {"class_name": "Distillation", "gradient_length": 4},
    "student": POLICY,
    "teacher": POLICY,
}


def train(runner_class, cfg, log_dir, teacher=None) -> dict:
    """Three iterations, and what of it is seen here."""
    runner = runner_class(Points(), cfg, str(log_dir), device="cpu")
    if teacher is not None:
        runner.load(teacher)
    runner.learn(3)
    path = log_dir / "model_2.pt"
    again = runner_class(Points(), cfg, device="cpu")
    again.load(path)  # the first has written it
    return {
        "networks": {name: network.state_dict() for name, network in runner.alg.networks.items()},
        "loaded": {name: network.state_dict() for name, network in again.alg.networks.items()},
        "numbers": (runner.is_distributed, runner.gpu_world_size, runner.gpu_local_rank, runner.gpu_global_rank),
        "counts": (runner.current_learning_iteration, runner.logger.tot_timesteps),
        "writes": runner.logger.writer is not None,
    }


def error_of(env: Points, device: str = "cpu") -> tuple[str, str]:
    try:
        OnPolicyRunner(env, PPO, device=device).learn(3)
    except (ZeroDivisionError, RankError, ConfigError) as error:
        return type(error).__name__, str(error)
    return "", ""


found = {"ppo": train(OnPolicyRunner, PPO, folder / "ppo"), "folder": folder}
found["distillation"] = train(DistillationRunner, DISTILLATION, folder / "student", folder / "ppo" / "model_2.pt")
if world_size > 1:
    found["failed"] = error_of(Points(fails_from=11 if rank == 1 else 10**6))
torch.save(found, folder / f"{rank}.pt")
