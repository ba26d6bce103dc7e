"""Learning rate schedules, computed on the device so that nothing is read back."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg, ScheduleCfg

__all__ = ["adapt_learning_rate"]


def adapt_learning_rate(cfg: ScheduleCfg, learning_rate: Tensor, kl: Tensor) -> Tensor:
    """The learning rate for this gradient step.

    Adaptive: `lr / f` if `kl > 2 d`, `lr f` if `0 < kl < d / 2`, else `lr`; within the bounds of the config.

    Args:
        cfg: Which schedule.
        learning_rate: The rate so far, `[]`.
        kl: Divergence of the policy from the one that collected the rollout [nat], `[]`.
    """
    match cfg:
        case FixedCfg():
            return learning_rate
        case AdaptiveKlCfg():
            slower = (learning_rate / cfg.factor).clamp(min=cfg.min_learning_rate)
            faster = (learning_rate * cfg.factor).clamp(max=cfg.max_learning_rate)
            too_near = (kl > 0) & (kl < 0.5 * cfg.desired_kl)
            return torch.where(kl > 2.0 * cfg.desired_kl, slower, torch.where(too_near, faster, learning_rate))
        case _:
            assert_never(cfg)
