"""Configs in, algorithm out: everything is checked before anything is allocated."""

from __future__ import annotations

from typing import assert_never

import torch

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.algorithms.config import PpoCfg
from fleetfoot.algorithms.extension import NO_EXTENSIONS, Extensions
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.algorithms.symmetry import MirrorAugmentation
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import derive_seed, make_generator
from fleetfoot.core.symmetry import MirrorImage, SymmetricEnv, check_mirror_images
from fleetfoot.core.vec_env import VecEnv
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import ObservationSpec, build_actor, build_critic, check_groups
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["build_algorithm", "check_config"]


def build_algorithm(env: VecEnv, cfg: OnPolicyRunnerCfg, device: torch.device, ranks: Ranks = ALONE) -> Algorithm:
    """The algorithm that a config asks for, with its networks and its rollout buffer.

    Networks are the same on all ranks, and follow from the config's seed; all else that is random is each rank's own.

    Raises:
        ConfigError: The config does not fit the environment.
    """
    check_config(env, cfg)
    match cfg.algorithm:
        case PpoCfg():
            return _build_ppo(env, cfg, device, ranks)
        case _:
            assert_never(cfg.algorithm)


def check_config(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    """Find what cannot work between a config and an environment.

    Raises:
        ConfigError: An observation group does not exist, or the samples don't divide into mini-batches.
    """
    check_groups(cfg.obs_groups.actor, env.observation_spec, "agent.obs_groups.actor")
    check_groups(cfg.obs_groups.critic, env.observation_spec, "agent.obs_groups.critic")
    _mirror_images(env, cfg)
    _check_sequences(env, cfg)


def _sequence_length(cfg: OnPolicyRunnerCfg) -> int:
    """Steps of a sequence: single ones, or the whole rollout where there is something to remember."""
    return cfg.algorithm.sequence_length or 1


def _check_sequences(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    steps, length, parts = cfg.num_steps_per_env, _sequence_length(cfg), cfg.algorithm.num_mini_batches
    if steps % length:
        raise ConfigError(
            "agent.algorithm.sequence_length",
            got=f"{length}, with rollouts of {steps} steps",
            expected=f"one of {_divisors(steps, steps)}",
            fix="Or change agent.num_steps_per_env.",
        )
    count = steps // length * env.num_envs
    enough = count >= parts if cfg.algorithm.drop_remainder else count % parts == 0
    if not enough:
        what = "samples" if length == 1 else f"sequences of {length} steps"
        raise ConfigError(
            "agent.algorithm.num_mini_batches",
            got=f"{parts}, with {steps} steps x {env.num_envs} environments = {count} {what}",
            expected=f"a divisor of the number of {what.split()[0]}",
            fix=f"Use one of {_divisors(count, 4 * parts)}, or change env.scene.num_envs or agent.num_steps_per_env.",
        )


def _divisors(number: int, largest: int) -> list[int]:
    return [n for n in range(1, min(number, largest) + 1) if number % n == 0]


def _build_ppo(env: VecEnv, cfg: OnPolicyRunnerCfg, device: torch.device, ranks: Ranks) -> Ppo:
    spec, groups, num_actions = env.observation_spec, cfg.obs_groups, env.action_spec.size
    with torch.random.fork_rng(devices=[]):  # torch initialises layers from its global generator: borrow it
        torch.manual_seed(derive_seed(cfg.seed, "networks"))
        actor = build_actor(cfg.actor, groups.actor, spec, num_actions).to(device)
        critic = build_critic(cfg.critic, groups.critic, spec).to(device)
    used = {group: spec[group] for group in (*groups.actor, *groups.critic)}
    buffer = _build_buffer(env, cfg, used, actor, device)
    extensions = _build_extensions(env, cfg, tuple(used), device, ranks)
    return Ppo(actor, critic, buffer, cfg.algorithm, ranks.own_seed(cfg.seed), extensions, ranks)


def _build_buffer(
    env: VecEnv, cfg: OnPolicyRunnerCfg, groups: ObservationSpec, actor: Actor, device: torch.device
) -> RolloutBuffer:
    one = {group: torch.zeros(1, *shape, device=device) for group, shape in groups.items()}
    state = actor.memory.initial_state(1, device)
    with torch.no_grad():
        distribution, _ = actor.step(one, state)
    return RolloutBuffer(
        cfg.num_steps_per_env,
        env.num_envs,
        _sequence_length(cfg),
        groups,
        cfg.obs_groups.critic,
        distribution,
        state,
        device,
    )


def _build_extensions(
    env: VecEnv, cfg: OnPolicyRunnerCfg, groups: tuple[str, ...], device: torch.device, ranks: Ranks
) -> Extensions:
    images = _mirror_images(env, cfg)
    if not images:
        return NO_EXTENSIONS
    generator = make_generator(ranks.own_seed(cfg.seed), "mirroring", device)
    return Extensions(transforms=(MirrorAugmentation(images, groups, generator),))


def _mirror_images(env: VecEnv, cfg: OnPolicyRunnerCfg) -> tuple[MirrorImage, ...]:
    """Those that the config asks for, sound ones.

    Raises:
        ConfigError: The environment has none, or none of that name.
        ContractError: What the environment declares is no mirror image.
    """
    symmetry = cfg.algorithm.symmetry
    if symmetry is None:
        return ()
    images = {image.name: image for image in env.mirror_images} if isinstance(env, SymmetricEnv) else {}
    wanted = tuple(images) if symmetry.images is None else symmetry.images
    if not wanted or any(name not in images for name in wanted):
        where, fix = "agent.algorithm.symmetry", "Set it to null to learn without."
        known = f"mirror images of this environment, which has {', '.join(images) or 'none'}"
        raise ConfigError(where, got=", ".join(wanted) or "symmetry asked for", expected=known, fix=fix)
    check_mirror_images(images.values(), env.observation_spec, env.action_spec.size)
    return tuple(images[name] for name in wanted)
