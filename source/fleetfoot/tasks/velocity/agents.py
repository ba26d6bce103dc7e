"""Agents for the velocity tasks. No torch here: this is data."""

from __future__ import annotations

from dataclasses import replace

from fleetfoot.algorithms.config import EntropyDecayCfg, GammaWarmupCfg, LinearCfg, PpoCfg, SymmetryCfg
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

__all__ = ["blind_ppo", "ppo", "rough_ppo", "with_symmetry"]


def ppo() -> OnPolicyRunnerCfg:
    """PPO for a few hundred robots on a few cores."""
    network = MlpCfg(hidden_dims=(128, 128, 128), activation="elu")
    return OnPolicyRunnerCfg(
        experiment_name="anymal_flat",
        max_iterations=650,
        algorithm=PpoCfg(
            num_learning_epochs=5,
            num_mini_batches=4,
            learning_rate=1e-3,
            # With batches this small the estimate of how far the policy moved is so noisy that a rate which follows it
            # collapses.
            schedule=LinearCfg(final_learning_rate=1e-4, begin=300, iterations=350),
            gamma=0.99,
            gamma_warmup=GammaWarmupCfg(start=0.96, hold=100, rise=200),
            lam=0.95,
            clip_param=0.2,
            entropy_coef=0.005,
            entropy_decay=EntropyDecayCfg(final=0.0, begin=250, iterations=200),
        ),
        actor=ActorCfg(network=network, distribution=GaussianCfg(init_std=0.5), obs_normalization=True),
        critic=CriticCfg(network=network, obs_normalization=True),
    )


def rough_ppo() -> OnPolicyRunnerCfg:
    """The same over rough ground: first a gait, as on flat ground, and then one level after the other."""
    cfg = ppo()
    algorithm = replace(
        cfg.algorithm,
        # There is something new to learn until the last level.
        schedule=LinearCfg(final_learning_rate=1e-4, begin=300, iterations=1200),
        entropy_decay=EntropyDecayCfg(final=0.0, begin=1000, iterations=400),
    )
    return replace(cfg, experiment_name="anymal_rough", max_iterations=1500, algorithm=algorithm)


def blind_ppo() -> OnPolicyRunnerCfg:
    """The same without seeing it."""
    return replace(rough_ppo(), experiment_name="anymal_rough_blind")


def with_symmetry(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    """The same, learning from the robot's mirror images as well: it walks sooner, and evenly."""
    return replace(cfg, algorithm=replace(cfg.algorithm, symmetry=SymmetryCfg()))
