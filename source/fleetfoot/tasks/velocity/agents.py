"""Agents for the velocity task. No torch here: this is data."""

from __future__ import annotations

from fleetfoot.algorithms.config import FixedCfg, PpoCfg
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

__all__ = ["ppo"]


def ppo() -> OnPolicyRunnerCfg:
    """PPO for a few hundred robots.

    The learning rate is fixed: with batches this small the estimate of how far the policy moved is so noisy that a rate
    which follows it collapses.
    """
    network = MlpCfg(hidden_dims=(128, 128, 128), activation="elu")
    return OnPolicyRunnerCfg(
        experiment_name="anymal_flat",
        max_iterations=500,
        algorithm=PpoCfg(
            num_learning_epochs=5,
            num_mini_batches=4,
            learning_rate=7e-4,
            schedule=FixedCfg(),
            gamma=0.99,
            lam=0.95,
            clip_param=0.2,
            entropy_coef=0.005,
        ),
        actor=ActorCfg(network=network, distribution=GaussianCfg(init_std=0.5), obs_normalization=True),
        critic=CriticCfg(network=network, obs_normalization=True),
    )
