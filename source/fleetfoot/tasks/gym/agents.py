"""Who learns Gymnasium's tasks. docs/gymnasium.md says what came of it, and what others have published."""

from __future__ import annotations

import re
from dataclasses import replace

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg

__all__ = ["ppo"]

_NETWORK = MlpCfg(hidden_dims=(256, 256), activation="relu")


def ppo(task_id: str) -> OnPolicyRunnerCfg:
    """PPO for an environment by its id: one config for all, but for the discount of those that are over in no time."""
    cfg = OnPolicyRunnerCfg(
        experiment_name=re.sub(r"[^\w.-]", "_", task_id),
        num_steps_per_env=256,
        max_iterations=488,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",), rnd_state=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=10,
            num_mini_batches=16,
            learning_rate=3e-4,
            schedule=AdaptiveKlCfg(desired_kl=0.01),
            gamma=0.99,
            lam=0.95,
            entropy_coef=0.0,
        ),
        actor=ActorCfg(
            network=_NETWORK, distribution=GaussianCfg(init_std=0.6, std_type="log"), obs_normalization=True
        ),
        critic=CriticCfg(network=_NETWORK, obs_normalization=True, value_normalization=True),
    )
    if task_id == "Pendulum-v1":
        return replace(cfg, max_iterations=49, algorithm=replace(cfg.algorithm, gamma=0.9))
    return cfg
