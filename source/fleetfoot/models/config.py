"""Which networks there are to choose from. No torch here: this is data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from fleetfoot.core.config import Count, PositiveFloat, PositiveRange, Range, config

__all__ = [
    "ActionRange",
    "Activation",
    "ActorCfg",
    "BetaCfg",
    "CriticCfg",
    "DistributionCfg",
    "GaussianCfg",
    "MlpCfg",
    "NetworkCfg",
    "SquashedGaussianCfg",
    "StateDependentGaussianCfg",
]

Activation: TypeAlias = Literal[
    "elu", "selu", "relu", "celu", "leaky_relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "mish", "identity"
]


@config
class MlpCfg:
    """Multi-layer perceptron."""

    kind: Literal["mlp"] = "mlp"
    hidden_dims: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256, 256)
    """Width of each hidden layer."""
    activation: Activation = "elu"
    """Nonlinearity after each hidden layer."""


NetworkCfg: TypeAlias = MlpCfg


@config
class GaussianCfg:
    """Normal distribution with a mean from the network and a standard deviation of its own, one per action."""

    kind: Literal["gaussian"] = "gaussian"
    init_std: PositiveFloat = 1.0
    """Standard deviation at the start, in units of the action."""
    std_type: Literal["scalar", "log"] = "scalar"
    """Whether the learned parameter is the standard deviation or its logarithm."""
    std_range: PositiveRange = (1e-6, 1e6)
    """The standard deviation is kept within these bounds."""
    learn_std: bool = True
    """Whether the standard deviation is learned or stays as it starts."""


@config
class StateDependentGaussianCfg:
    """Normal distribution whose mean and standard deviation both come from the network."""

    kind: Literal["state_dependent_gaussian"] = "state_dependent_gaussian"
    init_std: PositiveFloat = 1.0
    """Standard deviation at the start, in every state alike, in units of the action."""
    std_type: Literal["scalar", "log"] = "scalar"
    """Whether the network puts out the standard deviation or its logarithm."""
    std_range: PositiveRange = (1e-6, 1e6)
    """The standard deviation is kept within these bounds."""


def _not_empty(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] == bounds[1]:
        raise ValueError("two different bounds")
    return bounds


ActionRange: TypeAlias = Annotated[Range, AfterValidator(_not_empty)]
"""Lowest and highest action, of which there are others between."""


@config
class BetaCfg:
    """Beta distribution: actions never leave a range (Chou et al. 2017, ICML).

    Both its parameters come from the network and stay above one, so that there is one peak, between the bounds.
    """

    kind: Literal["beta"] = "beta"
    action_range: ActionRange = (-1.0, 1.0)
    """Lowest and highest action, the same for all. Symmetric about zero where mirror images turn signs."""


@config
class SquashedGaussianCfg:
    """Normal distribution squashed by tanh: actions never leave a range (Haarnoja et al. 2018, arXiv:1812.05905)."""

    kind: Literal["squashed_gaussian"] = "squashed_gaussian"
    init_std: PositiveFloat = 1.0
    """Standard deviation at the start, before tanh: the action's, in halves of the range, if it is far below one."""
    std_type: Literal["scalar", "log"] = "scalar"
    """Whether the learned parameter is the standard deviation or its logarithm."""
    std_range: PositiveRange = (1e-6, 3.0)
    """The standard deviation before tanh is kept within these bounds. At 3 half of all actions are near a bound."""
    learn_std: bool = True
    """Whether the standard deviation is learned or stays as it starts."""
    action_range: ActionRange = (-1.0, 1.0)
    """Lowest and highest action, the same for all. Symmetric about zero where mirror images turn signs."""


DistributionCfg: TypeAlias = Annotated[
    GaussianCfg | StateDependentGaussianCfg | BetaCfg | SquashedGaussianCfg, Field(discriminator="kind")
]


@config
class ActorCfg:
    """The network that acts."""

    network: NetworkCfg = MlpCfg()
    distribution: DistributionCfg = GaussianCfg()
    obs_normalization: bool = False
    """Scale observations by their running mean and standard deviation."""


@config
class CriticCfg:
    """The network that judges."""

    network: NetworkCfg = MlpCfg()
    obs_normalization: bool = False
    """Scale observations by their running mean and standard deviation."""
    value_normalization: bool = False
    """Learn values in units of the running moments of the returns (PopArt): for rewards that are large or small."""
