"""The runner for on-policy algorithms: the loop, with what the environment rewards."""

from __future__ import annotations

from typing import final

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.runner import Runner

__all__ = ["OnPolicyRunner"]


@final
class OnPolicyRunner(Runner[OnPolicyRunnerCfg, Algorithm]):
    """Trains a policy in an environment with an on-policy algorithm.

    runner = OnPolicyRunner(env, cfg, log_dir="logs/my_run")
    runner.learn(cfg.max_iterations)
    policy = runner.get_inference_policy()
    """

    def _build(self) -> Algorithm:
        return build_algorithm(self.env, self.cfg, self.device, self._ranks)

    def _require_ready(self) -> None:
        """It can always begin: it learns from nothing but the environment."""
