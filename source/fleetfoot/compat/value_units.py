"""Critics that learn in units of the returns, and the same critics without units, which is all that rsl_rl has.

`V = mean + std u` where `u = W x + b` is what the last layer puts out; so `V = (std W) x + (std b + mean)`.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

__all__ = ["fold_scale", "last_layer", "unfold_scale"]

_LAYERS = "network.layers."
_MEAN, _VAR = "scale.moments.mean", "scale.moments.var"
_SCALE = "scale."
_EPS = 1e-2
"""What a standard deviation is raised by: that of `models.value_scale`."""


def last_layer(network: Mapping[str, Tensor]) -> tuple[str, str]:
    """The names of the weight and of the bias of the layer that the values come from."""
    number = max(int(key.removeprefix(_LAYERS).split(".")[0]) for key in network if key.startswith(_LAYERS))
    return f"{_LAYERS}{number}.weight", f"{_LAYERS}{number}.bias"


def fold_scale(critic: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same critic without units."""
    weight, bias = last_layer(critic)
    mean, std = critic[_MEAN], critic[_VAR].sqrt() + _EPS
    layer = {weight: critic[weight] * std[:, None], bias: critic[bias] * std + mean}
    return {key: layer.get(key, x) for key, x in critic.items() if not key.startswith(_SCALE)}


def unfold_scale(critic: Mapping[str, Tensor], scale: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same critic, without units, in those of another: the part below `scale.` of its tensors."""
    weight, bias = last_layer(critic)
    mean, std = scale[_MEAN], scale[_VAR].sqrt() + _EPS
    layer = {weight: critic[weight] / std[:, None], bias: (critic[bias] - mean) / std}
    return {**critic, **layer, **{key: x for key, x in scale.items() if key.startswith(_SCALE)}}
