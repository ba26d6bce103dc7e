"""The policy as one module of plain tensors: what every export format is made from.

Inputs, in this order: `obs` `[B, O]`, the flat observation groups side by side; every image `[B, C, H, W]` under its
group's name; every tensor of the memory `[L, B, H]` as `<name>_in`. Outputs: `actions` `[B, A]`, and the memory as
`<name>_out`. What a policy does not have is left out.
"""

from __future__ import annotations

import copy
from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.models.actor_critic import Actor

__all__ = ["PARITY_SAMPLES", "PARITY_TOLERANCE", "ExportedPolicy"]

PARITY_TOLERANCE = 1e-4
"""Largest difference of an action that an exported policy may show, absolute and relative to the action."""
PARITY_SAMPLES = 512


@final
class ExportedPolicy(nn.Module):
    """Observations and memory to the most likely actions and the next memory; the normaliser is part of it.

    Args:
        actor: The policy; copied.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        source = copy.deepcopy(actor).cpu().eval().requires_grad_(False)
        self.inputs, self.memory, self.network, self.head = source.inputs, source.memory, source.network, source.head
        states, images = source.memory.state_names, tuple(source.inputs.images)
        flat = ("obs",) if source.inputs.groups else ()
        self.input_names = (*flat, *images, *(f"{name}_in" for name in states))
        self.output_names = ("actions", *(f"{name}_out" for name in states))
        self.num_observed = len(flat) + len(images)
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`(actions, *memory)` for `(*observed, *memory)`, in the order of `input_names` and `output_names`."""
        observed, state = tensors[: self.num_observed], tensors[self.num_observed :]
        features, state = self.memory(self.inputs.join(observed)[None], state)
        return self.head.deterministic(self.network(features[0])), *state

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """The memory of a policy that has seen nothing, `[L, B, H]` each."""
        return self.memory.initial_state(batch, "cpu")

    def example(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros of the shapes that go in."""
        shapes = ([self.inputs.flat_size],) if self.inputs.groups else ()
        observed = (torch.zeros(batch, *shape) for shape in (*shapes, *self.inputs.images.values()))
        return (*observed, *self.initial_state(batch))
