"""Which networks there are to choose from. No torch here: this is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from fleetfoot.core.config import Count, PositiveFloat, PositiveRange, Range, config

__all__ = [
    "ActionRange",
    "Activation",
    "ActorCfg",
    "AttentionCfg",
    "BetaCfg",
    "CnnCfg",
    "CriticCfg",
    "DistributionCfg",
    "GaussianCfg",
    "GruCfg",
    "LstmCfg",
    "MemoryCfg",
    "MlpCfg",
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


@config
class LstmCfg:
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    hidden_dim: Count = 256
    """Width of the output and of each of the two tensors that are remembered."""
    num_layers: Count = 1
    """Layers upon each other; each remembers for itself."""


@config
class GruCfg:
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078): three quarters of an LSTM's parameters."""

    kind: Literal["gru"] = "gru"
    hidden_dim: Count = 256
    """Width of the output and of what is remembered."""
    num_layers: Count = 1
    """Layers upon each other; each remembers for itself."""


@config
class AttentionCfg:
    """Causal attention over the last observations of an episode (Vaswani et al. 2017, arXiv:1706.03762)."""

    kind: Literal["attention"] = "attention"
    context: Annotated[int, Field(ge=2, strict=True)] = 16
    """Control steps that each step looks at, itself among them."""
    hidden_dim: Count = 128
    """Width of the output and of what is remembered of a step; a multiple of `num_heads`."""
    num_heads: Count = 4
    """Lookups side by side, each with its own share of the width."""
    num_layers: Count = 1
    """Layers upon each other; each looks at `context` steps of the one below, and remembers for itself."""


MemoryCfg: TypeAlias = Annotated[LstmCfg | GruCfg | AttentionCfg, Field(discriminator="kind")]

V = TypeVar("V")


def _as_list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else (value,)


PerLayer: TypeAlias = Annotated[tuple[V, ...], BeforeValidator(_as_list), Field(min_length=1)]
"""One value for all layers, or one for each. A single value need not be in a list."""


@config
class CnnCfg:
    """Convolutions: what a network sees of an image `[C, H, W]`."""

    kind: Literal["cnn"] = "cnn"
    output_channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32, 32)
    """Channels that each layer puts out. Every other list has one value for all layers, or one for each."""
    kernel_size: PerLayer[Count] = (3,)
    """Height and width of a kernel [pixel]."""
    stride: PerLayer[Count] = (1,)
    """Distance between two places where the kernel is put [pixel]."""
    dilation: PerLayer[Count] = (1,)
    """Distance between two pixels that the kernel reads [pixel]."""
    padding: Literal["none", "zeros", "reflect", "replicate", "circular"] = "none"
    """What lies around an image, so that a layer shrinks it by its stride alone; without, it loses its border."""
    norm: PerLayer[Literal["none", "batch", "layer"]] = ("none",)
    """Normalisation before the nonlinearity: over the batch, or over channels and pixels of each image."""
    activation: Activation = "elu"
    """Nonlinearity of each layer."""
    max_pool: PerLayer[bool] = (False,)
    """Whether a layer ends with the maximum of 3 x 3 pixels at every second one, which halves the image."""
    global_pool: Literal["none", "max", "avg"] = "none"
    """What is kept of each channel of the last layer: every pixel, their maximum, or their mean."""


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

    network: MlpCfg = MlpCfg()
    """Follows the memory; its last layer puts out what the distribution is made of."""
    memory: MemoryCfg | None = None
    """What is remembered from step to step; null for nothing."""
    cnn: CnnCfg | None = None
    """How images among the observations are seen, each by a network of its own; null if there are none."""
    cnn_by_group: Mapping[str, CnnCfg] = field(default_factory=dict)
    """Observation groups that are seen in another way than `cnn` says."""
    distribution: DistributionCfg = GaussianCfg()
    obs_normalization: bool | tuple[str, ...] = False
    """Scale observations by their running mean and standard deviation: all flat groups, or those named. In an image
    that is named, each channel is scaled by its own."""


@config
class CriticCfg:
    """The network that judges."""

    network: MlpCfg = MlpCfg()
    """Follows the memory; its last layer puts out the value."""
    memory: MemoryCfg | None = None
    """What is remembered from step to step; null for nothing."""
    cnn: CnnCfg | None = None
    """How images among the observations are seen, each by a network of its own; null if there are none."""
    cnn_by_group: Mapping[str, CnnCfg] = field(default_factory=dict)
    """Observation groups that are seen in another way than `cnn` says."""
    obs_normalization: bool | tuple[str, ...] = False
    """Scale observations by their running mean and standard deviation: all flat groups, or those named. In an image
    that is named, each channel is scaled by its own."""
    value_normalization: bool = False
    """Learn values in units of the running moments of the returns (PopArt): for rewards that are large or small."""
