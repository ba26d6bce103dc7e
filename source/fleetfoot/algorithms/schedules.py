"""What changes in the course of a training: learning rate, discount, weights. On the device nothing is read back."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    FixedCfg,
    GammaWarmupCfg,
    LinearCfg,
    RateScheduleCfg,
    RndLinearCfg,
    RndScheduleCfg,
    RndStepCfg,
    ScheduleCfg,
    StepCfg,
)

__all__ = ["adapt_learning_rate", "planned", "planned_bonus_weight", "planned_learning_rate", "warmed_up_gamma"]


def adapt_learning_rate(cfg: RateScheduleCfg, learning_rate: Tensor, kl: Tensor) -> Tensor:
    """The learning rate for this gradient step.

    Adaptive: `lr / f` if `kl > 2 d`, `lr f` if `0 < kl < d / 2`, else `lr`; within the bounds of the config.

    Args:
        cfg: Which schedule.
        learning_rate: The rate so far, `[]`.
        kl: Divergence of the policy from the one that collected the rollout [nat], `[]`.
    """
    match cfg:
        case FixedCfg() | StepCfg() | LinearCfg():
            return learning_rate
        case AdaptiveKlCfg():
            slower = (learning_rate / cfg.factor).clamp(min=cfg.min_learning_rate)
            faster = (learning_rate * cfg.factor).clamp(max=cfg.max_learning_rate)
            too_near = (kl > 0) & (kl < 0.5 * cfg.desired_kl)
            return torch.where(kl > 2.0 * cfg.desired_kl, slower, torch.where(too_near, faster, learning_rate))
        case _:
            assert_never(cfg)


def planned(cfg: ScheduleCfg, start: float, iteration: int) -> float:
    """The number that a schedule gives an iteration.

    Step: `start` for the first `at` iterations, then `final`. Linear: `start + x (final - start)`, with `x` the share
    of the way, 0 to 1.

    Args:
        cfg: Which schedule.
        start: The number at the start.
        iteration: Iterations done.
    """
    match cfg:
        case FixedCfg():
            return start
        case StepCfg():
            return start if iteration < cfg.at else cfg.final
        case LinearCfg():
            x = min(max(iteration - cfg.begin, 0) / cfg.iterations, 1.0)
            return start + x * (cfg.final - start)
        case _:
            assert_never(cfg)


def planned_learning_rate(cfg: RateScheduleCfg, start: float, iteration: int) -> float | None:
    """The learning rate that an iteration begins with; None if it stays what it is."""
    match cfg:
        case FixedCfg() | AdaptiveKlCfg():
            return None
        case StepCfg() | LinearCfg():
            return planned(cfg, start, iteration)
        case _:
            assert_never(cfg)


def warmed_up_gamma(gamma: float, warmup: GammaWarmupCfg | None, iteration: int) -> float:
    """The discount of an iteration: `1 - (1 - start)^(1 - x) (1 - gamma)^x`, with `x` the share of the way, 0 to 1.

    Args:
        gamma: The discount in the end.
        warmup: Where it starts, how long it stays there and how long it rises; None for no change.
        iteration: Iterations done.
    """
    if warmup is None or iteration >= warmup.begin + warmup.iterations:
        return gamma
    x = max(iteration - warmup.begin, 0) / warmup.iterations
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
        case FixedCfg():
            return torch.full_like(step, start, dtype=torch.float32)
        case RndStepCfg():
            return torch.where(step < cfg.at, start, cfg.final)
        case RndLinearCfg():
            return start + ((step - cfg.begin) / cfg.steps).clamp(0.0, 1.0) * (cfg.final - start)
        case _:
            assert_never(cfg)
