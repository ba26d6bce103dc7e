"""Action distributions as values: parameters in, numbers out; no distribution is ever "the current one".

A head is the module that turns the network's output into such a value. Axes: `A` actions, `…` any batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from fleetfoot.models.config import GaussianCfg

__all__ = ["Gaussian", "GaussianHead"]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """Independent normal distributions, one per action."""

    mean: Tensor
    """`[…, A]`."""
    std: Tensor
    """`[…, A]`."""

    def mode(self) -> Tensor:
        """The most likely action, `[…, A]`."""
        return self.mean

    def sample(self, generator: torch.Generator) -> Tensor:
        """`mean + std * epsilon`, `[…, A]`."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.std * noise

    def log_prob(self, actions: Tensor) -> Tensor:
        """`sum_a -((x - mean) / std)^2 / 2 - log std - log(2 pi) / 2`, `[…]`."""
        z = (actions - self.mean) / self.std
        return (-0.5 * z.square() - self.std.log()).sum(-1) - _HALF_LOG_2PI * actions.shape[-1]

    def entropy(self) -> Tensor:
        """`sum_a log std + (1 + log(2 pi)) / 2`, `[…]`."""
        return self.std.log().sum(-1) + (0.5 + _HALF_LOG_2PI) * self.std.shape[-1]

    def kl(self, new: Gaussian) -> Tensor:
        """`KL(self || new) = sum_a log(std' / std) + (std^2 + (mean - mean')^2) / (2 std'^2) - 1/2`, `[…]`."""
        variance = self.std.square() + (self.mean - new.mean).square()
        return ((new.std / self.std).log() + variance / (2 * new.std.square()) - 0.5).sum(-1)


@final
class GaussianHead(nn.Module):
    """Takes the network's output as the mean; the standard deviation is a parameter of its own.

    Args:
        num_actions: Number of actions `A`.
        cfg: Start value, bounds and form of the standard deviation.
    """

    def __init__(self, num_actions: int, cfg: GaussianCfg) -> None:
        super().__init__()
        self.cfg = cfg
        self.num_actions = self.in_dim = num_actions
        start = cfg.init_std if cfg.std_type == "scalar" else math.log(cfg.init_std)
        self.std_param = nn.Parameter(torch.full((num_actions,), start), requires_grad=cfg.learn_std)

    def forward(self, features: Tensor) -> Gaussian:
        """Map `[…, A]` to a distribution over actions `[…, A]`."""
        low, high = self.cfg.std_range
        match self.cfg.std_type:
            case "scalar":
                std = self.std_param.clamp(low, high)
            case "log":
                std = self.std_param.clamp(math.log(low), math.log(high)).exp()
        return Gaussian(features, std.expand_as(features))

    def deterministic(self, features: Tensor) -> Tensor:
        """The most likely actions, and nothing else: what an exported policy computes."""
        return features
