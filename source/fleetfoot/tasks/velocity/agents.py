"""Agents for the velocity tasks. No torch here: this is data."""

from __future__ import annotations

from dataclasses import replace

from fleetfoot.algorithms.config import (
    DistillationCfg,
    FixedCfg,
    GammaWarmupCfg,
    LinearCfg,
    MixingCfg,
    PpoCfg,
    RndCfg,
    RndLinearCfg,
    SymmetryCfg,
)
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, GruCfg, MlpCfg
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg

__all__ = [
    "blind_ppo",
    "distillation",
    "distillation_finetune",
    "ppo",
    "rough_ppo",
    "with_curiosity",
    "with_memory",
    "with_symmetry",
]

_MEMORY = GruCfg(hidden_dim=128)


def ppo() -> OnPolicyRunnerCfg:
    """PPO for a few hundred robots on a few cores."""
    network = MlpCfg(hidden_dims=(128, 128, 128), activation="elu")
    return OnPolicyRunnerCfg(
        experiment_name="anymal_flat",
        max_iterations=450,
        algorithm=PpoCfg(
            num_learning_epochs=5,
            num_mini_batches=4,
            learning_rate=1e-3,
            # With batches this small the estimate of how far the policy moved is so noisy that a rate which follows it
            # collapses.
            schedule=LinearCfg(final=1e-4, begin=150, iterations=200),
            gamma=0.99,
            gamma_warmup=GammaWarmupCfg(start=0.96, begin=100, iterations=200),
            lam=0.95,
            clip_param=0.2,
            entropy_coef=0.005,
            entropy_schedule=LinearCfg(final=0.0, begin=120, iterations=120),
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
        schedule=LinearCfg(final=1e-4, begin=300, iterations=1200),
        entropy_schedule=LinearCfg(final=0.0, begin=1000, iterations=400),
    )
    return replace(
        cfg,
        experiment_name="anymal_rough",
        max_iterations=1500,
        algorithm=algorithm,
        # The height scan stays in metres. Where the ground is flat its 187 numbers say one and the same, the height of
        # the base, and noise: at unit variance they would drown the rest.
        obs_groups=ObsGroupsCfg(actor=("policy", "height_scan"), critic=("critic", "height_scan")),
        actor=replace(cfg.actor, obs_normalization=("policy",)),
        critic=replace(cfg.critic, obs_normalization=("critic",)),
    )


def blind_ppo() -> OnPolicyRunnerCfg:
    """The same without seeing it."""
    cfg = rough_ppo()
    return replace(
        cfg,
        experiment_name="anymal_rough_blind",
        obs_groups=replace(cfg.obs_groups, actor=("sensors",), rnd_state=("sensors",)),
        actor=replace(cfg.actor, obs_normalization=True),
    )


def with_symmetry(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    """The same, learning from the robot's mirror images as well: it walks sooner, and evenly."""
    return replace(cfg, algorithm=replace(cfg.algorithm, symmetry=SymmetryCfg()))


def with_memory(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    """The same for a policy and a critic that remember the steps before."""
    return replace(cfg, actor=replace(cfg.actor, memory=_MEMORY), critic=replace(cfg.critic, memory=_MEMORY))


def with_curiosity(cfg: OnPolicyRunnerCfg) -> OnPolicyRunnerCfg:
    """The same with a small reward for what is new, which is gone when the gait is polished."""
    rnd = RndCfg(weight=0.1, schedule=RndLinearCfg(final=0.0, begin=0, steps=300 * cfg.num_steps_per_env))
    return replace(cfg, algorithm=replace(cfg.algorithm, rnd=rnd))


def distillation() -> DistillationRunnerCfg:
    """A student with a memory, which has to remember what it does not see, from a teacher of `Anymal-Rough`."""
    teacher = rough_ppo()
    return DistillationRunnerCfg(
        experiment_name="anymal_rough_blind_distillation",
        teacher_experiment=teacher.experiment_name,
        max_iterations=400,
        obs_groups=DistillationGroupsCfg(student=("sensors",), teacher=teacher.obs_groups.actor),
        algorithm=DistillationCfg(
            num_learning_epochs=2,
            num_mini_batches=2,
            gradient_length=12,
            max_grad_norm=1.0,
            mixing=MixingCfg(share=1.0, schedule=LinearCfg(final=0.0, iterations=100)),
        ),
        # It explores near what its teacher knows, and so does PPO when it goes on from there: with 0.5, which is for
        # who knows nothing, it walks away from it.
        student=replace(teacher.actor, memory=_MEMORY, distribution=GaussianCfg(init_std=0.2), obs_normalization=True),
        teacher=teacher.actor,
    )


def distillation_finetune() -> OnPolicyRunnerCfg:
    """The student goes on with PPO, from its checkpoint (`--checkpoint`), with its teacher's critic (`--critic`)."""
    cfg = blind_ppo()
    algorithm = replace(
        cfg.algorithm,
        critic_warmup=5,
        learning_rate=1e-4,
        schedule=LinearCfg(final=3e-5, begin=0, iterations=220),
        gamma_warmup=None,
        entropy_coef=0.0,  # more exploration would only lead away from what it can do
        entropy_schedule=FixedCfg(),
    )
    return replace(
        cfg,
        experiment_name="anymal_rough_blind_finetune",
        critic_experiment=rough_ppo().experiment_name,
        max_iterations=220,
        algorithm=algorithm,
        actor=distillation().student,
    )
