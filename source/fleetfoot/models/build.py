"""Configs in, networks out: the only place that knows which class belongs to which config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor, Critic, ObservationInput
from fleetfoot.models.config import ActorCfg, CriticCfg, DistributionCfg
from fleetfoot.models.distributions import GaussianHead
from fleetfoot.models.memory import Memory, NoMemory
from fleetfoot.models.mlp import Mlp

__all__ = ["ObservationSpec", "build_actor", "build_critic", "check_groups"]

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
        name: What it is called below `agent.obs_groups.`.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    inputs = _build_inputs(groups, spec, cfg.obs_normalization, f"agent.obs_groups.{name}")
    head = _build_head(cfg.distribution, num_actions)
    memory = _build_memory(inputs.size)
    return Actor(inputs, memory, Mlp(memory.out_dim, head.in_dim, cfg.network), head)


def build_critic(cfg: CriticCfg, groups: Sequence[str], spec: ObservationSpec) -> Critic:
    """The critic for an environment with these observation groups.

    Raises:
        ConfigError: A group does not exist or has a shape that the network cannot read.
    """
    inputs = _build_inputs(groups, spec, cfg.obs_normalization, "agent.obs_groups.critic")
    memory = _build_memory(inputs.size)
    return Critic(inputs, memory, Mlp(memory.out_dim, 1, cfg.network))


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


def _build_inputs(groups: Sequence[str], spec: ObservationSpec, normalize: bool, where: str) -> ObservationInput:
    check_groups(groups, spec, where)
    return ObservationInput(groups, sum(spec[group][0] for group in groups), normalize=normalize)


def _build_memory(in_dim: int) -> Memory:
    return NoMemory(in_dim)


def _build_head(cfg: DistributionCfg, num_actions: int) -> GaussianHead:
    return GaussianHead(num_actions, cfg)
