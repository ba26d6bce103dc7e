"""Beta distributions: actions within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fleetfoot.models.config import BetaCfg

__all__ = ["Beta", "BetaHead"]

_EDGE = 1e-6
"""An action that is nearer to a bound, as a share of the range, counts as this near: at the bound the density is 0."""


class Beta(NamedTuple):
    """Independent beta distributions, one per action `center + radius (2 x - 1)`, where `x ~ Beta(alpha, beta)`."""

    alpha: Tensor
    """Pulls towards the upper bound, above 1, `[…, A]`."""
    beta: Tensor
    """Pulls towards the lower bound, above 1, `[…, A]`."""
    center: Tensor
    """Middle of the actions' range, `[…, A]`."""
    radius: Tensor
    """Half of the range's width, `[…, A]`."""

    @property
    def mean(self) -> Tensor:
        """`center + radius (alpha - beta) / (alpha + beta)`, `[…, A]`."""
        return self.center + self.radius * (self.alpha - self.beta) / (self.alpha + self.beta)

    @property
    def std(self) -> Tensor:
        """`2 radius sqrt(alpha beta / (alpha + beta + 1)) / (alpha + beta)`, `[…, A]`."""
        total = self.alpha + self.beta
        return 2 * self.radius * (self.alpha * self.beta / (total + 1)).sqrt() / total

    def mode(self) -> Tensor:
        """The mean, `[…, A]`: the peak, `(alpha - beta) / (alpha + beta - 2)`, is anywhere when both are near 1."""
        return self.mean

    def sample(self, generator: torch.Generator) -> Tensor:
        """`center + radius (a - b) / (a + b)`, where `a ~ Gamma(alpha)` and `b ~ Gamma(beta)`, `[…, A]`."""
        # Private, but torch.distributions, which calls it, takes no generator.
        draw = torch._standard_gamma  # pyright: ignore[reportPrivateImportUsage] (see above)
        up, down = draw(torch.stack((self.alpha, self.beta)), generator=generator)
        # Of a NaN it makes a tiny number, and of two of them an action: a NaN must be seen.
        nothing = 0.0 * (self.alpha + self.beta)
        return self.center + self.radius * (up - down) / (up + down) + nothing

    def log_prob(self, actions: Tensor) -> Tensor:
        """`sum_a (alpha - 1) log x + (beta - 1) log(1 - x) - log B(alpha, beta) - log(2 radius)`, `[…]`."""
        t = (actions - self.center) / self.radius
        log_up, log_down = (((1 + sign * t) / 2).clamp(_EDGE, 1 - _EDGE).log() for sign in (1, -1))
        powers = (self.alpha - 1) * log_up + (self.beta - 1) * log_down
        return (powers - _log_beta(self.alpha, self.beta) - (2 * self.radius).log()).sum(-1)

    def entropy(self) -> Tensor:
        """Sum of each action's entropy, `[…]`, with `psi` the digamma function.

        `log B(alpha, beta) - (alpha - 1) psi(alpha) - (beta - 1) psi(beta) + (alpha + beta - 2) psi(alpha + beta)
        + log(2 radius)`. (rsl_rl leaves the last term out; it is constant.)
        """
        alpha, beta = self.alpha, self.beta
        digammas = (alpha - 1) * alpha.digamma() + (beta - 1) * beta.digamma()
        digammas = digammas - (alpha + beta - 2) * (alpha + beta).digamma()
        return (_log_beta(alpha, beta) - digammas + (2 * self.radius).log()).sum(-1)

    def kl(self, new: Beta) -> Tensor:
        """Sum of each action's `KL(self || new)`, `[…]`; both have the same range.

        `log B(alpha', beta') - log B(alpha, beta) + (alpha - alpha') psi(alpha) + (beta - beta') psi(beta)
        + (alpha' - alpha + beta' - beta) psi(alpha + beta)`
        """
        up, down = self.alpha - new.alpha, self.beta - new.beta
        digammas = up * self.alpha.digamma() + down * self.beta.digamma()
        digammas = digammas - (up + down) * (self.alpha + self.beta).digamma()
        return (_log_beta(new.alpha, new.beta) - _log_beta(self.alpha, self.beta) + digammas).sum(-1)

    def mirrored(self, signed: Callable[[Tensor], Tensor], unsigned: Callable[[Tensor], Tensor]) -> Beta:
        """Where the sign turns, up is down: the parameters change places."""
        turns = signed(torch.ones_like(self.alpha)) < 0
        alpha, beta = unsigned(self.alpha), unsigned(self.beta)
        return Beta(
            torch.where(turns, beta, alpha), torch.where(turns, alpha, beta), signed(self.center), unsigned(self.radius)
        )


@final
class BetaHead(nn.Module):
    """Takes `softplus(y) + 1` of the network's output, the first half as `alpha`, the second as `beta`.

    Args:
        num_actions: Number of actions `A`.
        cfg: The range of actions.
    """

    center: Tensor
    radius: Tensor

    def __init__(self, num_actions: int, cfg: BetaCfg) -> None:
        super().__init__()
        low, high = cfg.action_range
        self.num_actions, self.in_dim = num_actions, 2 * num_actions
        self.register_buffer("center", torch.full((num_actions,), (low + high) / 2), persistent=False)
        self.register_buffer("radius", torch.full((num_actions,), (high - low) / 2), persistent=False)

    def init_last_layer(self, layer: nn.Linear) -> None:
        """Let `beta` start at `softplus(0) + 1`, about 1.7, whatever the state; `alpha` starts near it."""
        nn.init.zeros_(layer.weight[self.num_actions :])
        nn.init.zeros_(layer.bias[self.num_actions :])

    def forward(self, features: Tensor) -> Beta:
        """Map `[…, 2 A]` to a distribution over actions `[…, A]`."""
        alpha, beta = (F.softplus(features) + 1).chunk(2, dim=-1)
        return Beta(alpha, beta, self.center.expand_as(alpha), self.radius.expand_as(alpha))

    def deterministic(self, features: Tensor) -> Tensor:
        """The distribution's mode, `[…, A]`, without the rest of it."""
        alpha, beta = (F.softplus(features) + 1).chunk(2, dim=-1)
        return self.center + self.radius * (alpha - beta) / (alpha + beta)


def _log_beta(alpha: Tensor, beta: Tensor) -> Tensor:
    """`log B(alpha, beta) = log Gamma(alpha) + log Gamma(beta) - log Gamma(alpha + beta)`."""
    return alpha.lgamma() + beta.lgamma() - (alpha + beta).lgamma()
