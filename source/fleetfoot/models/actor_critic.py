"""Actor and critic, by composition: observation groups → normaliser, image encoders → memory → network → head.

A network always sees sequences; a step is a sequence of one, and a network without memory carries an empty state.

Axes: `T` time, `B` batch, `A` actions, `O` observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.vec_env import Observations
from fleetfoot.models.cnn import Cnn
from fleetfoot.models.distributions import ActionHead, Distribution, mapped
from fleetfoot.models.memory import Memory, State
from fleetfoot.models.mlp import Mlp
from fleetfoot.models.normalizer import EmpiricalNormalizer
from fleetfoot.models.value_scale import ValueScale

__all__ = ["Actor", "Critic", "ObservationInput"]


@final
class ObservationInput(nn.Module):
    """Flat observation groups side by side, normalised if asked to, and what encoders make of images.

    Args:
        flat_groups: Name of each flat group to its size.
        normalize: Whether to scale by running moments: all flat groups, or those named. An image is scaled by channel.
        encoders: Image group to the network that reads it.
    """

    def __init__(
        self,
        flat_groups: Mapping[str, int],
        *,
        normalize: bool | Sequence[str],
        encoders: Mapping[str, Cnn] | None = None,
    ) -> None:
        super().__init__()
        self.groups, self.flat_size = tuple(flat_groups), sum(flat_groups.values())
        encoders = encoders or {}
        self.images = {group: encoder.in_shape for group, encoder in encoders.items()}
        """Image group to its shape, `(C, H, W)`."""
        self.size = self.flat_size + sum(encoder.out_dim for encoder in encoders.values())
        self.normalizer = _build_normalizer(flat_groups, normalize)
        self.image_encoders = dict(encoders)
        """Image group to the network that reads it."""
        self.encoders = nn.ModuleDict(self.image_encoders)
        scaled = () if isinstance(normalize, bool) else [group for group in self.images if group in normalize]
        self.image_normalizers = {group: EmpiricalNormalizer(self.images[group][0]) for group in scaled}
        """Image group to what scales its channels; images that are not scaled have none."""
        self.normalizers = nn.ModuleDict(self.image_normalizers)

    def concat(self, obs: Observations) -> Tensor:
        """The flat groups side by side, `[…, O]`."""
        if len(self.groups) == 1:
            return obs[self.groups[0]]
        return torch.cat([obs[group] for group in self.groups], dim=-1)

    def forward(self, obs: Observations) -> Tensor:
        """What the memory is shown, `[…, size]`."""
        flat = (self.concat(obs),) if self.groups else ()
        return self.join((*flat, *(obs[group] for group in self.images)))

    def join(self, observed: Sequence[Tensor]) -> Tensor:
        """The same for the flat groups in one tensor, if there are any, and the images in their order."""
        parts: list[Tensor] = []
        if self.groups:
            flat, *observed = observed
            parts.append(flat if self.normalizer is None else self.normalizer(flat))
        for (group, encoder), image in zip(self.image_encoders.items(), observed, strict=True):
            normalizer = self.image_normalizers.get(group)
            parts.append(encoder(image if normalizer is None else _channels_first(normalizer(_channels_last(image)))))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def update(self, obs: Observations, ranks: Ranks = ALONE) -> None:
        """Let the normalisers that there are see the rollouts of all ranks."""
        if self.normalizer is not None:
            self.normalizer.update(self.concat(obs), ranks)
        for group, normalizer in self.image_normalizers.items():
            normalizer.update(_channels_last(obs[group]), ranks)


def _build_normalizer(sizes: Mapping[str, int], normalize: bool | Sequence[str]) -> EmpiricalNormalizer | None:
    scaled = [group for group in sizes if (normalize if isinstance(normalize, bool) else group in normalize)]
    if not scaled:
        return None
    kept = torch.cat([torch.full((size,), group not in scaled) for group, size in sizes.items()])
    return EmpiricalNormalizer(len(kept), kept=kept if len(scaled) < len(sizes) else None)


@final
class Actor(nn.Module):
    """The policy: observations and state in, a distribution over actions and the next state out."""

    def __init__(self, inputs: ObservationInput, memory: Memory, network: Mlp, head: ActionHead) -> None:
        super().__init__()
        self.inputs, self.memory, self.network, self.head = inputs, memory, network, head

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Distribution, State]:
        """Distribution over actions `[T, B, A]` for a sequence of observations, and the state after it.

        Args:
            obs: `[T, B, …]` each.
            state: Before the first step.
            reset: Where an episode begins with a step, bool `[T, B]`; None for nowhere.
        """
        features, state = self.memory(self.inputs(obs), state, reset)
        return self.head(self.network(features)), state

    def step(self, obs: Observations, state: State) -> tuple[Distribution, State]:
        """Distribution over actions `[B, A]` for one step of observations `[B, …]`, and the state after it."""
        distribution, state = self(_as_sequence(obs), state)
        return mapped(distribution, lambda x: x[0]), state

    @torch.no_grad()
    def example(self, batch: int, spec: Mapping[str, tuple[int, ...]], device: torch.device) -> Distribution:
        """What the policy says of observations that are all zero, `[B, A]` each: to see what has to be stored of it.

        Args:
            batch: `B`.
            spec: Group name to the shape of one observation.
            device: Where the policy is.
        """
        groups = (*self.inputs.groups, *self.inputs.images)
        obs = {group: torch.zeros(batch, *spec[group], device=device) for group in groups}
        was_training = self.training
        distribution, _ = self.eval().step(obs, self.memory.initial_state(batch, device))
        self.train(was_training)
        return distribution


@final
class Critic(nn.Module):
    """The value function: observations and state in, value and next state out.

    Where rewards come in groups, there is a value for each, and an axis for them: `[T, B, G]`.

    Args:
        inputs: What it sees.
        memory: What it remembers.
        network: From features to a value, in the units of `scale`.
        scale: The units that it learns in; None for those of the rewards.
    """

    def __init__(self, inputs: ObservationInput, memory: Memory, network: Mlp, scale: ValueScale | None = None) -> None:
        super().__init__()
        self.inputs, self.memory, self.network, self.scale = inputs, memory, network, scale

    def forward(self, obs: Observations, state: State = (), reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Expected discounted return `[T, B]` for a sequence, and the state after it; arguments as of the actor."""
        features, state = self.memory(self.inputs(obs), state, reset)
        values = self.network(features).squeeze(-1)
        return values if self.scale is None else self.scale.restore(values), state

    def step(self, obs: Observations, state: State) -> tuple[Tensor, State]:
        """Expected discounted return `[B]` for one step of observations `[B, …]`, and the state after it."""
        values, state = self(_as_sequence(obs), state)
        return values[0], state

    def in_units(self, values: Tensor) -> Tensor:
        """Values or returns `[…]` in the units that are learned in."""
        return values if self.scale is None else self.scale(values)

    def update_units(self, returns: Tensor, ranks: Ranks = ALONE) -> None:
        """Let the units, if there are any, follow the returns `[…]` of all ranks' rollouts; no value changes."""
        if self.scale is not None:
            self.scale.update(returns, ranks)


def _channels_last(image: Tensor) -> Tensor:
    """`[…, H, W, C]` for `[…, C, H, W]`."""
    return image.movedim(-3, -1)


def _channels_first(image: Tensor) -> Tensor:
    """`[…, C, H, W]` for `[…, H, W, C]`."""
    return image.movedim(-1, -3)


def _as_sequence(obs: Observations) -> Observations:
    """One step as a sequence of one."""
    return {group: x[None] for group, x in obs.items()}
