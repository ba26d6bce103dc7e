"""The terms of the PPO objective, each a function of one mini-batch. Axis: `B` samples, any shape."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["clip_fraction", "surrogate_loss", "value_loss"]


def surrogate_loss(ratio: Tensor, advantages: Tensor, clip_param: float) -> Tensor:
    """Clipped surrogate (Schulman et al. 2017, equation 7), to be minimised.

    `mean(max(-A ratio, -A clamp(ratio, 1 - c, 1 + c)))`.

    Args:
        ratio: New over old probability of the actions, `[B]`.
        advantages: `[B]`.
        clip_param: `c`.
    """
    clipped = ratio.clamp(1.0 - clip_param, 1.0 + clip_param)
    return torch.maximum(-advantages * ratio, -advantages * clipped).mean()


def value_loss(values: Tensor, returns: Tensor, old_values: Tensor, clip_param: float | None) -> Tensor:
    """Squared error of the value, which with `clip_param` gains nothing by moving more than that.

    `mean(max((V - R)^2, (V_old + clamp(V - V_old, -c, c) - R)^2))`, or `mean((V - R)^2)` without `c`.

    Args:
        values: New values `V`, `[B]`.
        returns: Targets `R`, `[B]`.
        old_values: Values when the rollout was collected, `[B]`.
        clip_param: `c`, or None for the plain squared error.
    """
    error = (values - returns).square()
    if clip_param is None:
        return error.mean()
    clipped = old_values + (values - old_values).clamp(-clip_param, clip_param)
    return torch.maximum(error, (clipped - returns).square()).mean()


def clip_fraction(ratio: Tensor, clip_param: float) -> Tensor:
    """Share of samples whose ratio is outside `[1 - c, 1 + c]`."""
    return ((ratio - 1.0).abs() > clip_param).float().mean()
