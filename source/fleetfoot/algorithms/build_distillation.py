"""Configs in, distillation out: everything is checked before anything is allocated."""

from __future__ import annotations

import torch

from fleetfoot.algorithms.config import KlLossCfg
from fleetfoot.algorithms.distillation import Distillation
from fleetfoot.algorithms.divisors import divisors
from fleetfoot.algorithms.teachers import Teachers
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import derive_seed, torch_seeded
from fleetfoot.core.vec_env import VecEnv
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import build_actor, check_groups
from fleetfoot.models.config import ActorCfg, BetaCfg, SquashedGaussianCfg
from fleetfoot.runners.config import DistillationRunnerCfg
from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["build_distillation", "check_distillation"]


def build_distillation(
    env: VecEnv, cfg: DistillationRunnerCfg, device: torch.device, ranks: Ranks = ALONE
) -> Distillation:
    """Student and teachers, who are not trained yet, with a rollout buffer.

    Raises:
        ConfigError: The config does not fit the environment.
    """
    check_distillation(env, cfg)
    spec = env.observation_spec
    with torch_seeded(derive_seed(cfg.seed, "networks")):
        student, teachers = _build_networks(env, cfg)
    student, teachers = student.to(device), {name: teacher.to(device) for name, teacher in teachers.items()}
    buffer = RolloutBuffer(
        cfg.num_steps_per_env,
        env.num_envs,
        cfg.num_steps_per_env,
        {group: spec[group] for group in cfg.obs_groups.student},
        (),
        teachers["teacher"].example(1, spec, device),
        student.memory.initial_state(1, device),
        device,
    )
    seed, imitated = ranks.own_seed(cfg.seed), Teachers(teachers, env.num_envs, device)
    return Distillation(student, imitated, buffer, cfg.algorithm, seed, ranks)


def check_distillation(env: VecEnv, cfg: DistillationRunnerCfg) -> None:
    """Find what cannot work between a config and an environment.

    Raises:
        ConfigError: An observation group does not exist, the environments cannot be shared out, or a loss compares what
            is not of a kind.
    """
    check_groups(cfg.obs_groups.student, env.observation_spec, "agent.obs_groups.student")
    check_groups(cfg.obs_groups.teacher, env.observation_spec, "agent.obs_groups.teacher")
    _check_environments(env, cfg)
    _check_distributions(cfg)
    with torch.device("meta"):  # what the networks refuse, without allocating them
        _build_networks(env, cfg)


def _build_networks(env: VecEnv, cfg: DistillationRunnerCfg) -> tuple[Actor, dict[str, Actor]]:
    spec, groups, num_actions = env.observation_spec, cfg.obs_groups, env.action_spec.size
    student = build_actor(cfg.student, groups.student, spec, num_actions, "student")
    teachers = {
        name: build_actor(teacher, groups.teacher, spec, num_actions, "teacher")
        for name, teacher in cfg.teachers.items()
    }
    return student, teachers


def _check_environments(env: VecEnv, cfg: DistillationRunnerCfg) -> None:
    """Each mini-batch and each teacher has its part of them."""
    parts, teachers = cfg.algorithm.num_mini_batches, len(cfg.teachers)
    if env.num_envs % parts:
        raise ConfigError(
            "agent.algorithm.num_mini_batches",
            got=f"{parts}, with {env.num_envs} environments",
            expected="a divisor of the number of environments",
            fix=f"Use one of {divisors(env.num_envs, 4 * parts)}, or change env.scene.num_envs.",
        )
    for_one_part = {"window_remainder=next_pass": cfg.algorithm.window_remainder == "next_pass"}
    for_one_part["memory_after_update=learning"] = cfg.algorithm.memory_after_update == "learning"
    for option, is_chosen in for_one_part.items():
        if is_chosen and parts > 1:
            got = f"{parts}, with agent.algorithm.{option}"
            raise ConfigError("agent.algorithm.num_mini_batches", got=got, expected="1, as in rsl_rl")
    if env.num_envs < teachers:
        got = f"{teachers} teachers, with {env.num_envs} environments"
        raise ConfigError("agent.more_teachers", got=got, expected="an environment for each", fix="Have more of them.")


def _check_distributions(cfg: DistillationRunnerCfg) -> None:
    """What the teachers say is kept side by side, and a divergence exists only between two of a kind and range."""
    kind, student = cfg.teacher.distribution.kind, cfg.student.distribution.kind
    for name, teacher in cfg.teachers.items():
        if teacher.distribution.kind != kind:
            where, got = f"agent.{name}.distribution.kind", teacher.distribution.kind
            raise ConfigError(where, got=got, expected=f"{kind}, as of agent.teacher: all teachers have the same")
    if not isinstance(cfg.algorithm.loss, KlLossCfg):
        return
    fix = "Or use another agent.algorithm.loss.kind: mse, huber."
    if student != kind:
        expected = f"{kind}, as of agent.teacher, for a divergence from it"
        raise ConfigError("agent.student.distribution.kind", got=student, expected=expected, fix=fix)
    own = _action_range(cfg.student)
    for name, teacher in cfg.teachers.items():
        if (other := _action_range(teacher)) != own:
            expected = f"{list(other or ())}, as of agent.{name}, for a divergence from it"
            where = "agent.student.distribution.action_range"
            raise ConfigError(where, got=list(own or ()), expected=expected, fix=fix)


def _action_range(cfg: ActorCfg) -> tuple[float, float] | None:
    """What actions never leave; None if they can be anything."""
    distribution = cfg.distribution
    return distribution.action_range if isinstance(distribution, (BetaCfg, SquashedGaussianCfg)) else None
