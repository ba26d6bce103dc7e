"""Action distributions as values: parameters in, numbers out; no distribution is ever "the current one".

A head is the module that turns the network's output into such a value. Axes: `A` actions, `…` any batch.
"""

from __future__ import annotations

from typing import TypeAlias

from fleetfoot.models.distributions.beta import Beta, BetaHead
from fleetfoot.models.distributions.distribution import Distribution, mapped
from fleetfoot.models.distributions.gaussian import Gaussian, GaussianHead, StateDependentGaussianHead
from fleetfoot.models.distributions.squashed import SquashedGaussian, SquashedGaussianHead

__all__ = [
    "ActionHead",
    "Beta",
    "BetaHead",
    "Distribution",
    "Gaussian",
    "GaussianHead",
    "SquashedGaussian",
    "SquashedGaussianHead",
    "StateDependentGaussianHead",
    "mapped",
]

ActionHead: TypeAlias = GaussianHead | StateDependentGaussianHead | BetaHead | SquashedGaussianHead
"""What turns the network's output `[…, in_dim]` into a distribution over `num_actions` actions."""
