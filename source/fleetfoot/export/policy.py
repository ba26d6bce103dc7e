"""The policy as one module of plain tensors: what every export format is made from."""

from __future__ import annotations

import copy
from typing import final

from torch import Tensor, nn

from fleetfoot.models.actor_critic import Actor

__all__ = ["PARITY_SAMPLES", "PARITY_TOLERANCE", "ExportedPolicy"]

PARITY_TOLERANCE = 1e-4
"""Largest difference of an action that an exported policy may show, absolute and relative to the action."""
PARITY_SAMPLES = 512


@final
class ExportedPolicy(nn.Module):
    """Observations `[B, O]` to the most likely actions `[B, A]`; the normaliser is part of it.

    Args:
        actor: The policy; copied.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        source = copy.deepcopy(actor).cpu().eval().requires_grad_(False)
        self.in_dim, self.num_actions = source.inputs.size, source.head.in_dim
        self.normalizer = source.inputs.normalizer if source.inputs.normalizer is not None else nn.Identity()
        self.network = source.network.layers
        self.eval()

    def forward(self, obs: Tensor) -> Tensor:
        """Actions `[B, A]` for observations `[B, O]`."""
        return self.network(self.normalizer(obs))
