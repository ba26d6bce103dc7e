"""Which networks there are to choose from. No torch here: this is data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from fleetfoot.core.config import Count, PositiveFloat, PositiveRange, config

__all__ = ["Activation", "ActorCfg", "CriticCfg", "DistributionCfg", "GaussianCfg", "MlpCfg", "NetworkCfg"]

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


DistributionCfg: TypeAlias = GaussianCfg


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
