"""Configs in, networks out: the only place that knows which class belongs to which config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from fleetfoot.core.config import nearest
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor, Critic, ObservationInput
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    CriticCfg,
    DistributionCfg,
    GaussianCfg,
    SquashedGaussianCfg,
    StateDependentGaussianCfg,
)
from fleetfoot.models.distributions import (
    ActionHead,
    BetaHead,
    GaussianHead,
    SquashedGaussianHead,
    StateDependentGaussianHead,
)
from fleetfoot.models.memory import Memory, NoMemory
from fleetfoot.models.mlp import Mlp
from fleetfoot.models.value_scale import ValueScale

__all__ = ["ObservationSpec", "build_actor", "build_critic", "build_inputs", "check_action_range", "check_groups"]

ObservationSpec = Mapping[str, tuple[int, ...]]
"""Group name to the shape of one environment's observation."""


def build_actor(cfg: ActorCfg, groups: Sequence[str], spec: ObservationSpec, num_actions: int) -> Actor:
    """The actor for an environment with these observation groups.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    inputs = build_inputs(groups, spec, cfg.obs_normalization, "agent.obs_groups.actor")
    head = _build_head(cfg.distribution, num_actions)
    memory = _build_memory(inputs.size)
    network = Mlp(memory.out_dim, head.in_dim, cfg.network)
    head.init_last_layer(network.last_layer)
    return Actor(inputs, memory, network, head)


def build_critic(cfg: CriticCfg, groups: Sequence[str], spec: ObservationSpec) -> Critic:
    """The critic for an environment with these observation groups.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    inputs = build_inputs(groups, spec, cfg.obs_normalization, "agent.obs_groups.critic")
    memory = _build_memory(inputs.size)
    network = Mlp(memory.out_dim, 1, cfg.network)
    scale = ValueScale(network.last_layer) if cfg.value_normalization else None
    return Critic(inputs, memory, network, scale)


def check_groups(groups: Sequence[str], spec: ObservationSpec, where: str) -> None:
    """Refuse groups that the environment does not have, or that no network here can read.

    Raises:
        ConfigError: Names the group and those that exist.
    """
    for group in groups:
        if group not in spec:
            available = f"one of the environment's observation groups: {', '.join(spec)}"
            raise ConfigError(where, got=repr(group), expected=available, fix=nearest(group, spec))
        if len(spec[group]) != 1:
            shape = f"group {group!r} of shape {list(spec[group])}"
            raise ConfigError(where, got=shape, expected="flat groups, of shape [O]")


def check_action_range(cfg: DistributionCfg, images: Iterable[MirrorImage]) -> None:
    """Refuse a range of actions that a mirror image would turn into another one.

    Raises:
        ConfigError: Signs of actions turn, and the range is not symmetric about zero.
    """
    match cfg:
        case GaussianCfg() | StateDependentGaussianCfg():
            return
        case BetaCfg() | SquashedGaussianCfg():
            low, high = cfg.action_range
        case _:
            assert_never(cfg)
    for image in images:
        if low != -high and min(image.actions.sign) < 0:
            expected = f"a range symmetric about zero: the mirror image {image.name!r} turns the signs of actions"
            fix = f"Use [{-max(-low, high)}, {max(-low, high)}], or set agent.algorithm.symmetry to null."
            raise ConfigError("agent.actor.distribution.action_range", got=[low, high], expected=expected, fix=fix)


def build_inputs(groups: Sequence[str], spec: ObservationSpec, normalize: bool, where: str) -> ObservationInput:
    """What a network sees of these observation groups.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    check_groups(groups, spec, where)
    return ObservationInput(groups, sum(spec[group][0] for group in groups), normalize=normalize)


def _build_memory(in_dim: int) -> Memory:
    return NoMemory(in_dim)


def _build_head(cfg: DistributionCfg, num_actions: int) -> ActionHead:
    match cfg:
        case GaussianCfg():
            return GaussianHead(num_actions, cfg)
        case StateDependentGaussianCfg():
            return StateDependentGaussianHead(num_actions, cfg)
        case BetaCfg():
            return BetaHead(num_actions, cfg)
        case SquashedGaussianCfg():
            return SquashedGaussianHead(num_actions, cfg)
        case _:
            assert_never(cfg)
