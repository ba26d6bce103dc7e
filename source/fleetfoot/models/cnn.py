"""Convolutions that make a vector of an image. Axes: `C` channels, `H` height, `W` width."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar, assert_never, final

from torch import Tensor, nn

from fleetfoot.errors import ConfigError
from fleetfoot.models.config import CnnCfg
from fleetfoot.models.mlp import make_activation

__all__ = ["Cnn", "even_padding", "shrunk"]

V = TypeVar("V")

_NOT_EMPTY = "Use fewer layers, smaller kernels, or larger images."


@final
class Cnn(nn.Module):
    """Layers of convolution, normalisation, nonlinearity and pooling; what the last one puts out, as one vector.

    Args:
        in_shape: `(C, H, W)` of the images.
        cfg: The layers.
        where: The dotted path of `cfg`, for errors.

    Raises:
        ConfigError: A list has neither one value nor one for each layer, or an image is too small for a layer.
    """

    def __init__(self, in_shape: tuple[int, int, int], cfg: CnnCfg, *, where: str = "cnn") -> None:
        super().__init__()
        self.in_shape = in_shape
        channels, *size = in_shape
        mode = "zeros" if cfg.padding == "none" else cfg.padding
        layers: list[nn.Module] = []
        for layer in _each_layer(cfg, where):
            kernel, stride, dilation = layer.kernel, layer.stride, layer.dilation
            padding = [_padding(layer, cfg, n) for n in size]
            _check_fit(layer, cfg, size, padding, where)
            sides = (padding[0], padding[1])
            layers.append(nn.Conv2d(channels, layer.channels, kernel, stride, sides, dilation, padding_mode=mode))
            channels = layer.channels
            size = [shrunk(n, kernel, stride, dilation, p) for n, p in zip(size, padding, strict=True)]
            layers += [*_make_norm(layer, size), make_activation(cfg.activation)]
            if layer.max_pool:
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))
                size = [shrunk(n, 3, 2, 1, 1) for n in size]
        self.layers = nn.Sequential(*layers, *_make_global_pool(cfg))
        self.out_dim = channels * (math.prod(size) if cfg.global_pool == "none" else 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[…, out_dim]` for images `[…, C, H, W]`."""
        return self.layers(x.reshape(-1, *self.in_shape)).reshape(*x.shape[:-3], self.out_dim)


def shrunk(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """How often a kernel fits into `n` pixels with `p` more at each end: `⌊(n + 2 p - d (k - 1) - 1) / s⌋ + 1`."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def even_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """The least padding `p` at each end with which `n` pixels become at least `⌊n / s⌋`, as in rsl_rl.

    `p = ⌈(s (⌊n / s⌋ - 1) + d (k - 1) + 1 - n) / 2⌉`. Below zero, so many pixels are cut off.
    """
    missing = stride * (size // stride - 1) + dilation * (kernel - 1) + 1 - size
    return (missing + 1) // 2


class _Layer(NamedTuple):
    """The values of one layer."""

    number: int
    channels: int
    kernel: int
    stride: int
    dilation: int
    norm: Literal["none", "batch", "layer"]
    max_pool: bool


def _each_layer(cfg: CnnCfg, where: str) -> Iterator[_Layer]:
    num = len(cfg.output_channels)

    def spread(name: str, values: tuple[V, ...]) -> tuple[V, ...]:
        if len(values) not in (1, num):
            expected = f"one value, or {num}: one for each layer that output_channels lists"
            raise ConfigError(f"{where}.{name}", got=f"{len(values)} values", expected=expected)
        return values * num if len(values) == 1 else values

    columns = zip(
        cfg.output_channels,
        spread("kernel_size", cfg.kernel_size),
        spread("stride", cfg.stride),
        spread("dilation", cfg.dilation),
        spread("norm", cfg.norm),
        spread("max_pool", cfg.max_pool),
        strict=True,
    )
    return (_Layer(number, *values) for number, values in enumerate(columns, start=1))


def _padding(layer: _Layer, cfg: CnnCfg, size: int) -> int:
    padding = even_padding(size, layer.kernel, layer.stride, layer.dilation)
    match cfg.padding:
        case "none":
            return 0
        case "zeros":
            return max(0, padding)  # torch cuts nothing off before it pads with zeros; nor does rsl_rl
        case "reflect" | "replicate" | "circular":
            return padding
        case _:
            assert_never(cfg.padding)


def _check_fit(layer: _Layer, cfg: CnnCfg, size: Sequence[int], padding: Sequence[int], where: str) -> None:
    """Refuse a kernel larger than the image, and a border that the image does not have enough pixels for."""
    reach = layer.dilation * (layer.kernel - 1) + 1
    for axis, n, p in zip(("high", "wide"), size, padding, strict=True):
        got = f"an image that is {n} pixels {axis} when it comes to layer {layer.number}"
        if n + 2 * p < reach:
            covers = f"at least the {reach} that the kernel covers"
            raise ConfigError(f"{where}.kernel_size", got=got, expected=covers, fix=_NOT_EMPTY)
        least = {"reflect": p + 1, "circular": p}.get(cfg.padding, 0)
        if n < least:
            expected = f"at least {least}, to pad {p} of them at each end"
            raise ConfigError(f"{where}.padding", got=got, expected=expected, fix=_NOT_EMPTY)


def _make_norm(layer: _Layer, size: Sequence[int]) -> tuple[nn.Module, ...]:
    match layer.norm:
        case "none":
            return ()
        case "batch":
            return (nn.BatchNorm2d(layer.channels),)
        case "layer":
            return (nn.LayerNorm([layer.channels, *size]),)
        case _:
            assert_never(layer.norm)


def _make_global_pool(cfg: CnnCfg) -> tuple[nn.Module, ...]:
    match cfg.global_pool:
        case "none":
            return ()
        case "max":
            return (nn.AdaptiveMaxPool2d(1),)
        case "avg":
            return (nn.AdaptiveAvgPool2d(1),)
        case _:
            assert_never(cfg.global_pool)
