"""Configs in, networks out: the only place that knows which class belongs to which config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

from fleetfoot.core.config import nearest
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor, Critic, ObservationInput
from fleetfoot.models.build_memory import build_memory
from fleetfoot.models.cnn import Cnn
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
from fleetfoot.models.mlp import Mlp
from fleetfoot.models.value_scale import ValueScale

__all__ = [
    "ObservationSpec",
    "build_actor",
    "build_critic",
    "build_encoders",
    "build_inputs",
    "check_action_range",
    "check_groups",
]

ObservationSpec = Mapping[str, tuple[int, ...]]
"""Group name to the shape of one environment's observation."""


def build_actor(
    cfg: ActorCfg, groups: Sequence[str], spec: ObservationSpec, num_actions: int, name: str = "actor"
) -> Actor:
    """The actor for an environment with these observation groups.

    Args:
        cfg: The network.
        groups: The observation groups that it reads.
        spec: Those that there are.
        num_actions: How many actions it decides.
        name: What it is called below `agent.` and `agent.obs_groups.`.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    encoders = build_encoders(cfg, groups, spec, f"agent.{name}")
    inputs = build_inputs(groups, spec, cfg.obs_normalization, f"agent.obs_groups.{name}", encoders)
    head = _build_head(cfg.distribution, num_actions)
    memory = build_memory(cfg.memory, inputs.size, where=f"agent.{name}.memory")
    network = Mlp(memory.out_dim, head.in_dim, cfg.network)
    head.init_last_layer(network.last_layer)
    return Actor(inputs, memory, network, head)


def build_critic(
    cfg: CriticCfg,
    groups: Sequence[str],
    spec: ObservationSpec,
    num_values: int = 1,
    encoders: Mapping[str, Cnn] | None = None,
) -> Critic:
    """The critic for an environment with these observation groups, with one value for each group of rewards.

    Args:
        cfg: The network.
        groups: What it reads.
        spec: What there is to read.
        num_values: Groups of rewards.
        encoders: Networks that images are seen through, to share those of the actor; None for its own.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    if encoders is None:
        encoders = build_encoders(cfg, groups, spec, "agent.critic")
    inputs = build_inputs(groups, spec, cfg.obs_normalization, "agent.obs_groups.critic", encoders)
    memory = build_memory(cfg.memory, inputs.size, where="agent.critic.memory")
    network = Mlp(memory.out_dim, num_values, cfg.network)
    scale = ValueScale(network.last_layer) if cfg.value_normalization else None
    return Critic(inputs, memory, network, scale)


def build_encoders(
    cfg: ActorCfg | CriticCfg, groups: Sequence[str], spec: ObservationSpec, where: str
) -> dict[str, Cnn]:
    """A network for every image among the groups.

    Raises:
        ConfigError: An image has no network, or one that it is too small for; or something is to be seen that is no
            image.
    """
    images = {group: shape for group in groups if len(shape := spec.get(group, ())) == 3}
    if stray := next((group for group in cfg.cnn_by_group if group not in images), None):
        expected = f"an image among the groups: {', '.join(images) or 'there is none'}"
        raise ConfigError(f"{where}.cnn_by_group.{stray}", got=repr(stray), expected=expected)
    encoders: dict[str, Cnn] = {}
    for group, (channels, height, width) in images.items():
        own = group in cfg.cnn_by_group
        cnn, path = (cfg.cnn_by_group[group], f"{where}.cnn_by_group.{group}") if own else (cfg.cnn, f"{where}.cnn")
        if cnn is None:
            seen = f"an image of {channels} x {height} x {width} in group {group!r}"
            raise ConfigError(path, got="null", expected=f"a network to see {seen}", fix=f"Set {path}.kind=cnn.")
        encoders[group] = Cnn((channels, height, width), cnn, where=path)
    return encoders


def check_groups(groups: Sequence[str], spec: ObservationSpec, where: str) -> None:
    """Refuse groups that the environment does not have, or that no network here can read.

    Raises:
        ConfigError: Names the group and those that exist.
    """
    for group in groups:
        if group not in spec:
            available = f"one of the environment's observation groups: {', '.join(spec)}"
            raise ConfigError(where, got=repr(group), expected=available, fix=nearest(group, spec))
        if len(spec[group]) not in (1, 3):
            shape = f"group {group!r} of shape {list(spec[group])}"
            raise ConfigError(where, got=shape, expected="flat groups, of shape [O], and images, of shape [C, H, W]")


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


def build_inputs(
    groups: Sequence[str],
    spec: ObservationSpec,
    normalize: bool | Sequence[str],
    where: str,
    encoders: Mapping[str, Cnn] = MappingProxyType({}),
) -> ObservationInput:
    """What a network sees of these observation groups.

    Args:
        groups: What it reads.
        spec: What there is to read.
        normalize: Whether groups are scaled by running moments: all that are flat, or those named.
        where: The dotted path of `groups`, for errors.
        encoders: Image group to the network that it is seen through.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    check_groups(groups, spec, where)
    flat = {group: spec[group][0] for group in groups if len(spec[group]) == 1}
    named = () if isinstance(normalize, bool) else normalize
    if stray := next((group for group in named if group not in groups), None):
        expected = f"a group among those that are read: {', '.join(groups)}"
        raise ConfigError(f"obs_normalization of {where}", got=repr(stray), expected=expected)
    seen = {group: encoders[group] for group in groups if group in encoders}
    if unseen := next((group for group in groups if group not in flat and group not in seen), None):
        raise ConfigError(where, got=f"the image {unseen!r}", expected="flat groups, of shape [O]")
    return ObservationInput(flat, normalize=normalize, encoders=seen)


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
