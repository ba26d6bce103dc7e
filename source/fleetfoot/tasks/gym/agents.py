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
    """PPO for an environment by its id: a million steps with 8 of them.

    Observations and values are normalised, as wherever PPO is compared (Engstrom et al. 2020, arXiv:2005.12729); the
    policy begins with little noise and the step size follows the divergence.
    """
    cfg = OnPolicyRunnerCfg(
        experiment_name=re.sub(r"[^\w.-]", "_", task_id),
        num_steps_per_env=256,
        max_iterations=488,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",), rnd_state=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=10,
            num_mini_batches=8,
            learning_rate=3e-4,
            schedule=AdaptiveKlCfg(desired_kl=0.01),
            gamma=0.99,
            lam=0.95,
            entropy_coef=0.0,
        ),
        actor=ActorCfg(
            network=_NETWORK, distribution=GaussianCfg(init_std=0.4, std_type="log"), obs_normalization=True
        ),
        critic=CriticCfg(network=_NETWORK, obs_normalization=True, value_normalization=True),
    )
    return _pendulum(cfg) if task_id == "Pendulum-v1" else cfg


def _pendulum(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    """A swing takes a second, and is learned in 100,000 steps: a short horizon, much exploration, many large steps."""
    schedule = AdaptiveKlCfg(desired_kl=0.02, min_learning_rate=1e-4)
    algorithm = replace(cfg.algorithm, gamma=0.9, learning_rate=1e-3, num_mini_batches=32, schedule=schedule)
    actor = replace(cfg.actor, distribution=GaussianCfg(init_std=1.0, std_type="log"))
    return replace(cfg, max_iterations=49, algorithm=algorithm, actor=actor)
