"""Actor and critic, by composition: observation groups → normaliser → memory → network → head.

A network always sees sequences; a step is a sequence of one, and a network without memory carries an empty state.

Axes: `T` time, `B` batch, `A` actions, `O` observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.vec_env import Observations
from fleetfoot.models.distributions import Gaussian, GaussianHead
from fleetfoot.models.memory import Memory, State
from fleetfoot.models.mlp import Mlp
from fleetfoot.models.normalizer import EmpiricalNormalizer

__all__ = ["Actor", "Critic", "ObservationInput"]


@final
class ObservationInput(nn.Module):
    """Concatenates observation groups in order and, if asked to, normalises them.

    Args:
        groups: Names of the groups.
        size: Size of all of them together, `O`.
        normalize: Whether to scale by running moments.
    """

    def __init__(self, groups: Sequence[str], size: int, *, normalize: bool) -> None:
        super().__init__()
        self.groups = tuple(groups)
        self.size = size
        self.normalizer = EmpiricalNormalizer(size) if normalize else None

    def concat(self, obs: Observations) -> Tensor:
        """The groups side by side, `[…, O]`."""
        if len(self.groups) == 1:
            return obs[self.groups[0]]
        return torch.cat([obs[group] for group in self.groups], dim=-1)

    def forward(self, obs: Observations) -> Tensor:
        """The network's input, `[…, O]`."""
        x = self.concat(obs)
        return x if self.normalizer is None else self.normalizer(x)

    def update(self, obs: Observations, ranks: Ranks = ALONE) -> None:
        """Let the normaliser, if there is one, see the rollouts of all ranks."""
        if self.normalizer is not None:
            self.normalizer.update(self.concat(obs), ranks)


@final
class Actor(nn.Module):
    """The policy: observations and state in, a distribution over actions and the next state out."""

    def __init__(self, inputs: ObservationInput, memory: Memory, network: Mlp, head: GaussianHead) -> None:
        super().__init__()
        self.inputs, self.memory, self.network, self.head = inputs, memory, network, head

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Gaussian, State]:
        """Distribution over actions `[T, B, A]` for a sequence of observations, and the state after it.

        Args:
            obs: `[T, B, …]` each.
            state: Before the first step.
            reset: Where an episode begins with a step, bool `[T, B]`; None for nowhere.
        """
        features, state = self.memory(self.inputs(obs), state, reset)
        return self.head(self.network(features)), state

    def step(self, obs: Observations, state: State) -> tuple[Gaussian, State]:
        """Distribution over actions `[B, A]` for one step of observations `[B, …]`, and the state after it."""
        distribution, state = self(_as_sequence(obs), state)
        return Gaussian(*(x[0] for x in distribution)), state


@final
class Critic(nn.Module):
    """The value function: observations and state in, one value and the next state out."""

    def __init__(self, inputs: ObservationInput, memory: Memory, network: Mlp) -> None:
        super().__init__()
        self.inputs, self.memory, self.network = inputs, memory, network

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Expected discounted return `[T, B]` for a sequence, and the state after it; arguments as of the actor."""
        features, state = self.memory(self.inputs(obs), state, reset)
        return self.network(features).squeeze(-1), state

    def step(self, obs: Observations, state: State) -> tuple[Tensor, State]:
        """Expected discounted return `[B]` for one step of observations `[B, …]`, and the state after it."""
        values, state = self(_as_sequence(obs), state)
        return values[0], state


def _as_sequence(obs: Observations) -> Observations:
    """One step as a sequence of one."""
    return {group: x[None] for group, x in obs.items()}
