"""The runner for on-policy algorithms: the loop, with what the environment rewards."""

from __future__ import annotations

from pathlib import Path
from typing import final

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.restore import lend_critic
from fleetfoot.runners.runner import Runner

__all__ = ["OnPolicyRunner"]


@final
class OnPolicyRunner(Runner[OnPolicyRunnerCfg, Algorithm]):
    """Trains a policy in an environment with an on-policy algorithm.

    runner = OnPolicyRunner(env, cfg, log_dir="logs/my_run")
    runner.learn(cfg.max_iterations)
    policy = runner.get_inference_policy()
    """

    def load_critic(self, path: str | Path) -> None:
        """Begin with the critic of another run: that of the teacher, say, when its student goes on with PPO.

        Args:
            path: Its checkpoint.

        Raises:
            CheckpointError: It is unreadable, has no critic, or one with other shapes.
            ConfigError: The critic here reads other observations, or is another network; names the field.
        """
        critic = self.algorithm.networks["critic"]
        lend_critic(load_checkpoint(Path(path), device=self.device), self.cfg, critic, str(path))

    def _build(self) -> Algorithm:
        return build_algorithm(self.env, self.cfg, self.device, self._ranks)

    def _require_ready(self) -> None:
        """It can always begin: it learns from nothing but the environment."""
