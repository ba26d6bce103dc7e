"""Actor and critic, by composition: observation groups → normaliser → network → head.

Axes: `T` time, `B` batch, `A` actions, `O` observation. Leading axes are free: `[B, …]` while acting, `[T, B, …]` while
learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.distributions import ActionHead, Gaussian
from fleetfoot.models.mlp import Mlp, State
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

    def update(self, obs: Observations) -> None:
        """Let the normaliser, if there is one, see a rollout."""
        if self.normalizer is not None:
            self.normalizer.update(self.concat(obs))


@final
class Actor(nn.Module):
    """The policy: observations and state in, a distribution over actions and the next state out."""

    def __init__(self, inputs: ObservationInput, network: Mlp, head: ActionHead) -> None:
        super().__init__()
        self.inputs, self.network, self.head = inputs, network, head

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Gaussian, State]:
        """Distribution over actions `[…, A]`."""
        features, state = self.network(self.inputs(obs), state, reset)
        return self.head(features), state


@final
class Critic(nn.Module):
    """The value function: observations and state in, one value and the next state out."""

    def __init__(self, inputs: ObservationInput, network: Mlp) -> None:
        super().__init__()
        self.inputs, self.network = inputs, network

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Expected discounted return `[…]`."""
        value, state = self.network(self.inputs(obs), state, reset)
        return value.squeeze(-1), state
