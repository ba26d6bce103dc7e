"""Values in units of the returns that are seen. Axes: `…` any batch, and `G` groups of rewards if there are some."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.models.normalizer import EmpiricalNormalizer

__all__ = ["ValueScale"]


@final
class ValueScale(nn.Module):
    """Lets a network learn returns of any size as numbers around 0 and 1: `V = mean + std u`.

    When the moments of the returns change, the last layer changes with them, so that every value stays what it was
    (PopArt: van Hasselt et al. 2016, arXiv:1602.07714):
    `W' = std / std' W` and `b' = (std b + mean - mean') / std'`.

    Args:
        last_layer: The layer that puts out `u`, `[…, G]`, with one number for each group of rewards.
        eps: Added to the standard deviation, so that returns that are all the same are not blown up.
    """

    def __init__(self, last_layer: nn.Linear, eps: float = 1e-2) -> None:
        super().__init__()
        self.moments = EmpiricalNormalizer(last_layer.out_features, eps)
        self._last_layer = [last_layer]  # in a list: its parameters are the network's

    @property
    def std(self) -> Tensor:
        """What is divided by, `[G]`."""
        return self.moments.var.sqrt() + self.moments.eps

    def forward(self, values: Tensor) -> Tensor:
        """Values `[…]` in the units that the network learns in."""
        return (values - self.moments.mean) / self.std

    def restore(self, outputs: Tensor) -> Tensor:
        """The network's outputs `[…]` as values."""
        return self.moments.mean + self.std * outputs

    @torch.no_grad()
    def update(self, returns: Tensor, ranks: Ranks = ALONE) -> None:
        """Let the moments see the returns `[…]` of the rollouts of all ranks."""
        (layer,) = self._last_layer
        mean, std = self.moments.mean.clone(), self.std
        self.moments.update(returns.reshape(-1, len(mean)), ranks)
        layer.weight.mul_((std / self.std)[:, None])
        layer.bias.copy_((std * layer.bias + mean - self.moments.mean) / self.std)
