"""The terms of the objectives, each a function of one mini-batch.

Axes: `B` samples, any shape; for what imitates, `T` time, `N` environments, `A` actions.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from fleetfoot.algorithms.config import HuberLossCfg, ImitationLossCfg, KlLossCfg, MseLossCfg
from fleetfoot.models.distributions import Distribution

__all__ = ["clip_fraction", "huber_loss", "imitation_loss", "kl_loss", "mse_loss", "surrogate_loss", "value_loss"]


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


def imitation_loss(cfg: ImitationLossCfg, student: Distribution, teacher: Distribution) -> Tensor:
    """How far the student is from the teacher at each step, `[T]`.

    Args:
        cfg: Which measure.
        student: What it says, `[T, N, A]`.
        teacher: What it says of the same states, `[T, N, A]`.
    """
    match cfg:
        case MseLossCfg():
            return mse_loss(student.mode(), teacher.mode())
        case HuberLossCfg():
            return huber_loss(student.mode(), teacher.mode(), cfg.delta)
        case KlLossCfg():
            return kl_loss(student, teacher)
        case _:
            assert_never(cfg)


def mse_loss(actions: Tensor, targets: Tensor) -> Tensor:
    """`mean_na (x - y)^2`, `[T]`, for actions `x` and targets `y`, `[T, N, A]` each."""
    return (actions - targets).square().mean((-2, -1))


def huber_loss(actions: Tensor, targets: Tensor, delta: float) -> Tensor:
    """`mean_na h(x - y)`, `[T]`, with `h(d) = d^2 / 2` up to `|d| = delta` and `delta (|d| - delta / 2)` beyond.

    Args:
        actions: `x`, `[T, N, A]`.
        targets: `y`, `[T, N, A]`.
        delta: Where the parabola turns into straight lines (Huber 1964), in units of the action.
    """
    distance = (actions - targets).abs()
    beyond = delta * (distance - 0.5 * delta)
    return torch.where(distance <= delta, 0.5 * distance.square(), beyond).mean((-2, -1))


def kl_loss(student: Distribution, teacher: Distribution) -> Tensor:
    """`mean_n KL(teacher || student)`, summed over actions, `[T]` [nat], for distributions `[T, N, A]`."""
    return teacher.kl(student).mean(-1)
