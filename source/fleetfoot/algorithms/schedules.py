"""What changes in the course of a training: learning rate, discount, weights. On the device nothing is read back."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    EntropyDecayCfg,
    FixedCfg,
    GammaWarmupCfg,
    LinearCfg,
    MixingCfg,
    RndConstantCfg,
    RndLinearCfg,
    RndScheduleCfg,
    RndStepCfg,
    ScheduleCfg,
)

__all__ = [
    "adapt_learning_rate",
    "planned_bonus_weight",
    "planned_entropy_coef",
    "planned_learning_rate",
    "planned_teacher_share",
    "warmed_up_gamma",
]


def adapt_learning_rate(cfg: ScheduleCfg, learning_rate: Tensor, kl: Tensor) -> Tensor:
    """The learning rate for this gradient step.

    Adaptive: `lr / f` if `kl > 2 d`, `lr f` if `0 < kl < d / 2`, else `lr`; within the bounds of the config.

    Args:
        cfg: Which schedule.
        learning_rate: The rate so far, `[]`.
        kl: Divergence of the policy from the one that collected the rollout [nat], `[]`.
    """
    match cfg:
        case FixedCfg() | LinearCfg():
            return learning_rate
        case AdaptiveKlCfg():
            slower = (learning_rate / cfg.factor).clamp(min=cfg.min_learning_rate)
            faster = (learning_rate * cfg.factor).clamp(max=cfg.max_learning_rate)
            too_near = (kl > 0) & (kl < 0.5 * cfg.desired_kl)
            return torch.where(kl > 2.0 * cfg.desired_kl, slower, torch.where(too_near, faster, learning_rate))
        case _:
            assert_never(cfg)


def planned_learning_rate(cfg: ScheduleCfg, start: float, iteration: int) -> float | None:
    """The learning rate that an iteration begins with, `start + x (final - start)`, with `x` the share of the way.

    Args:
        cfg: Which schedule.
        start: The rate at the start.
        iteration: Iterations done.

    Returns:
        None if the schedule has no plan: the rate stays what it is.
    """
    match cfg:
        case FixedCfg() | AdaptiveKlCfg():
            return None
        case LinearCfg():
            return _straight(start, cfg.final_learning_rate, cfg.begin, cfg.iterations, iteration)
        case _:
            assert_never(cfg)


def planned_entropy_coef(start: float, decay: EntropyDecayCfg | None, iteration: int) -> float:
    """The weight of the entropy bonus in an iteration, `start + x (final - start)`, with `x` the share of the way.

    Args:
        start: The weight at the start.
        decay: How it falls; None for not.
        iteration: Iterations done.
    """
    if decay is None:
        return start
    return _straight(start, decay.final, decay.begin, decay.iterations, iteration)


def planned_teacher_share(mixing: MixingCfg | None, iteration: int) -> float:
    """Share of the environments that the teacher acts in, `start + x (final - start)`, with `x` the share of the way.

    Args:
        mixing: How it changes; None for a teacher that never acts.
        iteration: Iterations done.
    """
    if mixing is None:
        return 0.0
    return _straight(mixing.start, mixing.final, mixing.begin, mixing.iterations, iteration)


def warmed_up_gamma(gamma: float, warmup: GammaWarmupCfg | None, iteration: int) -> float:
    """The discount of an iteration: `1 - (1 - start)^(1 - x) (1 - gamma)^x`, with `x` the share of the way, 0 to 1.

    Args:
        gamma: The discount in the end.
        warmup: Where it starts, how long it stays there and how long it rises; None for no change.
        iteration: Iterations done.
    """
    if warmup is None or iteration >= warmup.hold + warmup.rise:
        return gamma
    x = max(iteration - warmup.hold, 0) / warmup.rise
    return 1.0 - (1.0 - warmup.start) ** (1.0 - x) * (1.0 - gamma) ** x


def planned_bonus_weight(cfg: RndScheduleCfg, start: float, step: Tensor) -> Tensor:
    """The weight of a bonus after so many steps, of any shape.

    Linear: `start + x (final - start)`, with `x` the share of the way; step: `start` before `at`, then `final`.

    Args:
        cfg: Which schedule.
        start: The weight at the start.
        step: Control steps of each environment, int64.
    """
    match cfg:
        case RndConstantCfg():
            return torch.full_like(step, start, dtype=torch.float32)
        case RndStepCfg():
            return torch.where(step < cfg.at, start, cfg.final)
        case RndLinearCfg():
            return start + ((step - cfg.begin) / cfg.steps).clamp(0.0, 1.0) * (cfg.final - start)
        case _:
            assert_never(cfg)


def _straight(start: float, final: float, begin: int, duration: int, now: int) -> float:
    """On a straight line from `start` at `begin` to `final` after `duration` more; level before and after."""
    x = min(max(now - begin, 0) / duration, 1.0)
    return start + x * (final - start)
