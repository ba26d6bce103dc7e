"""Normal distributions, with a standard deviation of their own or from the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from fleetfoot.models.config import GaussianCfg, SquashedGaussianCfg, StateDependentGaussianCfg

__all__ = ["HALF_LOG_2PI", "Gaussian", "GaussianHead", "StateDependentGaussianHead", "bounded_std", "std_parameter"]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """Independent normal distributions, one per action."""

    mean: Tensor
    """`[…, A]`."""
    std: Tensor
    """`[…, A]`."""

    def mode(self) -> Tensor:
        """The mean, `[…, A]`."""
        return self.mean

    def sample(self, generator: torch.Generator) -> Tensor:
        """`mean + std * epsilon`, `[…, A]`."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.std * noise

    def log_prob(self, actions: Tensor) -> Tensor:
        """`sum_a -((x - mean) / std)^2 / 2 - log std - log(2 pi) / 2`, `[…]`."""
        z = (actions - self.mean) / self.std
        return (-0.5 * z.square() - self.std.log()).sum(-1) - HALF_LOG_2PI * actions.shape[-1]

    def entropy(self) -> Tensor:
        """`sum_a log std + (1 + log(2 pi)) / 2`, `[…]`."""
        return self.std.log().sum(-1) + (0.5 + HALF_LOG_2PI) * self.std.shape[-1]

    def kl(self, new: Gaussian) -> Tensor:
        """`KL(self || new) = sum_a log(std' / std) + (std^2 + (mean - mean')^2) / (2 std'^2) - 1/2`, `[…]`."""
        variance = self.std.square() + (self.mean - new.mean).square()
        return ((new.std / self.std).log() + variance / (2 * new.std.square()) - 0.5).sum(-1)

    def mirrored(self, signed: Callable[[Tensor], Tensor], unsigned: Callable[[Tensor], Tensor]) -> Gaussian:
        """The mean as the actions, the standard deviation without signs."""
        return Gaussian(signed(self.mean), unsigned(self.std))


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
        self.std_param = std_parameter(num_actions, cfg)

    def init_last_layer(self, layer: nn.Linear) -> None:
        """Leave the network's last layer as it is."""

    def forward(self, features: Tensor) -> Gaussian:
        """Map `[…, A]` to a distribution over actions `[…, A]`."""
        return Gaussian(features, bounded_std(self.std_param, self.cfg).expand_as(features))

    def deterministic(self, features: Tensor) -> Tensor:
        """The distribution's mode, `[…, A]`, without the distribution."""
        return features


@final
class StateDependentGaussianHead(nn.Module):
    """Takes the first half of the network's output as the mean, the second as the standard deviation or its logarithm.

    Args:
        num_actions: Number of actions `A`.
        cfg: Start value, bounds and form of the standard deviation.
    """

    def __init__(self, num_actions: int, cfg: StateDependentGaussianCfg) -> None:
        super().__init__()
        self.cfg = cfg
        self.num_actions, self.in_dim = num_actions, 2 * num_actions

    def init_last_layer(self, layer: nn.Linear) -> None:
        """Let the standard deviation start as configured, whatever the state; the mean starts as it is."""
        # The small number is rsl_rl's: the same config starts with the same numbers.
        start = self.cfg.init_std if self.cfg.std_type == "scalar" else math.log(self.cfg.init_std + 1e-7)
        nn.init.zeros_(layer.weight[self.num_actions :])
        nn.init.constant_(layer.bias[self.num_actions :], start)

    def forward(self, features: Tensor) -> Gaussian:
        """Map `[…, 2 A]` to a distribution over actions `[…, A]`."""
        mean, raw_std = features.chunk(2, dim=-1)
        return Gaussian(mean, bounded_std(raw_std, self.cfg))

    def deterministic(self, features: Tensor) -> Tensor:
        """The distribution's mode, `[…, A]`, without the distribution."""
        return features[..., : self.num_actions]


def std_parameter(num_actions: int, cfg: GaussianCfg | SquashedGaussianCfg) -> nn.Parameter:
    """A standard deviation, or its logarithm, that does not depend on the state, `[A]`."""
    start = cfg.init_std if cfg.std_type == "scalar" else math.log(cfg.init_std)
    return nn.Parameter(torch.full((num_actions,), start), requires_grad=cfg.learn_std)


def bounded_std(raw: Tensor, cfg: GaussianCfg | StateDependentGaussianCfg | SquashedGaussianCfg) -> Tensor:
    """The standard deviation, within its bounds, of what is it or its logarithm; beyond them there is no gradient."""
    low, high = cfg.std_range
    match cfg.std_type:
        case "scalar":
            return raw.clamp(low, high)
        case "log":
            return raw.clamp(math.log(low), math.log(high)).exp()
