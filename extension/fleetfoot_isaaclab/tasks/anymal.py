"""Isaac Lab's AnymalD environments, and the agents of fleetfoot for them.

What belongs to Isaac Lab is looked up in its registry when it is asked for. No torch here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg, SymmetryCfg
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, GruCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg

__all__ = [
    "flat_env",
    "flat_ppo",
    "flat_ppo_recurrent",
    "flat_ppo_symmetry",
    "flat_rsl_rl",
    "flat_rsl_rl_symmetry",
    "rough_env",
    "rough_ppo",
    "rough_ppo_recurrent",
    "rough_ppo_symmetry",
    "rough_rsl_rl",
    "rough_rsl_rl_symmetry",
]

_FLAT: Final = "Isaac-Velocity-Flat-AnymalD"
_ROUGH: Final = "Isaac-Velocity-Rough-AnymalD"
_AGENT: Final = "rsl_rl_cfg_entry_point"
_SYMMETRIC_AGENT: Final = "rsl_rl_with_symmetry_cfg_entry_point"
_ENV: Final = "env_cfg_entry_point"


def flat_env() -> Any:
    """Isaac Lab's config of AnymalD on flat ground."""
    return _isaaclab(_FLAT, _ENV)


def rough_env() -> Any:
    """Isaac Lab's config of AnymalD on rough ground."""
    return _isaaclab(_ROUGH, _ENV)


def flat_ppo() -> OnPolicyRunnerCfg:
    """PPO for thousands of robots on flat ground."""
    return _ppo("anymal_flat", max_iterations=300, hidden_dims=(128, 128, 128))


def rough_ppo() -> OnPolicyRunnerCfg:
    """The same over rough ground, which takes a larger network and longer."""
    return _ppo("anymal_rough", max_iterations=1500, hidden_dims=(512, 256, 128))


def flat_ppo_symmetry() -> OnPolicyRunnerCfg:
    """The same, learning from the robot's mirror images as well."""
    return _with_symmetry(flat_ppo())


def rough_ppo_symmetry() -> OnPolicyRunnerCfg:
    """The same, learning from the robot's mirror images as well."""
    return _with_symmetry(rough_ppo())


def flat_ppo_recurrent() -> OnPolicyRunnerCfg:
    """The same for a policy and a critic that remember the steps before."""
    return _with_memory(flat_ppo())


def rough_ppo_recurrent() -> OnPolicyRunnerCfg:
    """The same for a policy and a critic that remember the steps before."""
    return _with_memory(rough_ppo())


def flat_rsl_rl() -> Any:
    """Isaac Lab's agent for flat ground."""
    return _isaaclab(_FLAT, _AGENT)


def rough_rsl_rl() -> Any:
    """Isaac Lab's agent for rough ground."""
    return _isaaclab(_ROUGH, _AGENT)


def flat_rsl_rl_symmetry() -> Any:
    """Isaac Lab's agent for flat ground that learns from mirror images; it also says what those are."""
    return _isaaclab(_FLAT, _SYMMETRIC_AGENT)


def rough_rsl_rl_symmetry() -> Any:
    """Isaac Lab's agent for rough ground that learns from mirror images; it also says what those are."""
    return _isaaclab(_ROUGH, _SYMMETRIC_AGENT)


def _isaaclab(task: str, entry_point: str) -> Any:
    from isaaclab_tasks.utils import load_cfg_from_registry

    return load_cfg_from_registry(task, entry_point)


def _ppo(experiment_name: str, *, max_iterations: int, hidden_dims: tuple[int, ...]) -> OnPolicyRunnerCfg:
    network = MlpCfg(hidden_dims=hidden_dims, activation="elu")
    return OnPolicyRunnerCfg(
        experiment_name=experiment_name,
        max_iterations=max_iterations,
        num_steps_per_env=24,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=5,
            num_mini_batches=4,
            learning_rate=1e-3,
            schedule=AdaptiveKlCfg(desired_kl=0.01),
            gamma=0.99,
            lam=0.95,
            clip_param=0.2,
            entropy_coef=0.005,
        ),
        actor=ActorCfg(network=network, distribution=GaussianCfg(init_std=1.0), obs_normalization=True),
        critic=CriticCfg(network=network, obs_normalization=True),
    )


def _with_symmetry(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    return replace(cfg, algorithm=replace(cfg.algorithm, symmetry=SymmetryCfg()))


def _with_memory(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    memory = GruCfg(hidden_dim=128)
    return replace(cfg, actor=replace(cfg.actor, memory=memory), critic=replace(cfg.critic, memory=memory))
