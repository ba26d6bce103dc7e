"""Normal distributions squashed by tanh: actions within bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fleetfoot.models.config import SquashedGaussianCfg
from fleetfoot.models.distributions.gaussian import HALF_LOG_2PI, Gaussian, bounded_std, std_parameter

__all__ = ["SquashedGaussian", "SquashedGaussianHead"]

_EDGE = 2.0**-19
"""How near to 1 the tanh of a number still tells, in single precision, which number it was: one up to 6.9."""
_NUM_NODES, _FARTHEST_NODE = 21, 5.0
"""Of the quadrature, half a standard deviation apart: the entropy is off by at most 2e-6 nat per action where the
standard deviation is at most 1, by 1e-4 at 2 and by 2e-3 at 3."""


class SquashedGaussian(NamedTuple):
    """Independent distributions, one per action `center + radius tanh(u)`, where `u ~ N(latent_mean, latent_std)`."""

    latent_mean: Tensor
    """`[…, A]`."""
    latent_std: Tensor
    """`[…, A]`."""
    center: Tensor
    """Middle of the actions' range, `[…, A]`."""
    radius: Tensor
    """Half of the range's width, `[…, A]`."""

    @property
    def latent(self) -> Gaussian:
        """The distribution before tanh."""
        return Gaussian(self.latent_mean, self.latent_std)

    @property
    def mean(self) -> Tensor:
        """`center + radius E[tanh u]`, `[…, A]`; by quadrature."""
        u, weights = self._nodes()
        return self.center + self.radius * (weights * u.tanh()).sum(-1)

    @property
    def std(self) -> Tensor:
        """`radius sqrt(Var[tanh u])`, `[…, A]`; by quadrature."""
        u, weights = self._nodes()
        t = u.tanh()
        deviation = t - (weights * t).sum(-1, keepdim=True)
        return self.radius * (weights * deviation.square()).sum(-1).sqrt()

    def mode(self) -> Tensor:
        """`center + radius tanh(latent_mean)`, the median, `[…, A]`: the density may peak at the bounds."""
        return self.center + self.radius * self.latent_mean.tanh()

    def sample(self, generator: torch.Generator) -> Tensor:
        """`center + radius tanh(latent_mean + latent_std * epsilon)`, `[…, A]`."""
        return self.center + self.radius * self.latent.sample(generator).tanh()

    def log_prob(self, actions: Tensor) -> Tensor:
        """`sum_a log N(u; latent_mean, latent_std) - log(1 - tanh(u)^2) - log radius`, `[…]`; the action is `tanh(u)`.

        Near a bound many `u` have the same action in single precision. There the density is the probability of them
        all, spread evenly over that edge of the range: it stays finite, it integrates to one, and ratios of policies
        and their gradients are right for what is still known of `u`.
        """
        t = (actions - self.center) / self.radius
        u = t.clamp(_EDGE - 1, 1 - _EDGE).atanh()
        z = (u - self.latent_mean) / self.latent_std
        within = -0.5 * z.square() - self.latent_std.log() - HALF_LOG_2PI - _log_slope(u)
        beyond = torch.special.log_ndtr(-t.sign() * z) - math.log(_EDGE)
        return (torch.where(t.abs() < 1 - _EDGE, within, beyond) - self.radius.log()).sum(-1)

    def entropy(self) -> Tensor:
        """`sum_a log latent_std + (1 + log(2 pi)) / 2 + E[log(1 - tanh(u)^2)] + log radius`, `[…]`; by quadrature.

        `log(1 - tanh(u)^2) = 2 (log 2 + u - log(1 + exp(2 u)))`, of which the quadrature is the last part.
        """
        u, weights = self._nodes()
        slope = 2 * (math.log(2) + self.latent_mean - (weights * F.softplus(2 * u)).sum(-1))
        return self.latent.entropy() + (slope + self.radius.log()).sum(-1)

    def kl(self, new: SquashedGaussian) -> Tensor:
        """That of the distributions before tanh, `[…]`: both go through the same, invertible, function."""
        return self.latent.kl(new.latent)

    def mirrored(self, signed: Callable[[Tensor], Tensor], unsigned: Callable[[Tensor], Tensor]) -> SquashedGaussian:
        """Means as the actions, widths without signs."""
        return SquashedGaussian(
            signed(self.latent_mean), unsigned(self.latent_std), signed(self.center), unsigned(self.radius)
        )

    def _nodes(self) -> tuple[Tensor, Tensor]:
        """Where to look, `u` `[…, A, K]`, and how much it counts, `[K]`: `E[f(u)] = sum_k weight_k f(u_k)`.

        The trapezoidal rule, which for smooth functions against a Gaussian converges geometrically (Trefethen and
        Weideman 2014, SIAM Review 56). Built on the device: a table would have to be copied there.
        """
        mean, std = self.latent_mean, self.latent_std
        nodes = torch.linspace(-_FARTHEST_NODE, _FARTHEST_NODE, _NUM_NODES, device=mean.device, dtype=mean.dtype)
        return mean[..., None] + std[..., None] * nodes, torch.softmax(-0.5 * nodes.square(), dim=0)


@final
class SquashedGaussianHead(nn.Module):
    """Takes the network's output as the mean before tanh; the standard deviation is a parameter of its own.

    Args:
        num_actions: Number of actions `A`.
        cfg: The range of actions; start value, bounds and form of the standard deviation.
    """

    center: Tensor
    radius: Tensor

    def __init__(self, num_actions: int, cfg: SquashedGaussianCfg) -> None:
        super().__init__()
        self.cfg = cfg
        low, high = cfg.action_range
        self.num_actions = self.in_dim = num_actions
        self.std_param = std_parameter(num_actions, cfg)
        self.register_buffer("center", torch.full((num_actions,), (low + high) / 2), persistent=False)
        self.register_buffer("radius", torch.full((num_actions,), (high - low) / 2), persistent=False)

    def init_last_layer(self, layer: nn.Linear) -> None:
        """Leave the network's last layer as it is."""

    def forward(self, features: Tensor) -> SquashedGaussian:
        """Map `[…, A]` to a distribution over actions `[…, A]`."""
        std = bounded_std(self.std_param, self.cfg)
        return SquashedGaussian(features, *(x.expand_as(features) for x in (std, self.center, self.radius)))

    def deterministic(self, features: Tensor) -> Tensor:
        """The distribution's mode, `[…, A]`, without the rest of it."""
        return self.center + self.radius * features.tanh()


def _log_slope(u: Tensor) -> Tensor:
    """`log(1 - tanh(u)^2) = 2 (log 2 - |u| - log(1 + exp(-2 |u|)))`, also where `tanh(u)` rounds to one."""
    size = u.abs()
    return 2 * (math.log(2) - size - F.softplus(-2 * size))
