"""Returns and advantages. Axes: `T` time, `N` environments, `G` groups of rewards."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from fleetfoot.core.distributed import ALONE, Ranks

__all__ = ["compute_gae", "join_advantages", "normalize_advantages", "running_sums", "successor_values"]


def successor_values(values: Tensor, last_values: Tensor, final_values: Tensor, truncated: Tensor) -> Tensor:
    """The value of the state that each step led to, before any reset.

    `V'[t] = final_values[t]` where truncated, else `V[t + 1]` (`last_values` at the end).

    Args:
        values: `V(s[t])`, `[T, N]`.
        last_values: `V(s[T])`, `[N]`.
        final_values: Value of the observation before the reset, `[T, N]`; read only where truncated.
        truncated: bool `[T, N]`.

    Returns:
        `[T, N]`.
    """
    following = torch.cat((values[1:], last_values[None]))
    return torch.where(truncated, final_values, following)


def compute_gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    gamma: float,
    lam: float,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438), for each group by itself.

    `delta[t] = r[t] + gamma V'[t] - V[t]`, with `V'[t] = 0` where terminated;
    `A[t] = delta[t] + gamma lam A[t + 1]`, with `A[t + 1] = 0` where an episode ended, either way.

    Args:
        rewards: `[T, N]`; or `[T, N, G]`, as the values are then, with `terminated` and `truncated` `[T, N, 1]`.
        values: `V(s[t])`, `[T, N]`.
        next_values: Value of the state each step led to, before any reset (`successor_values`), `[T, N]`.
        terminated: bool `[T, N]`.
        truncated: bool `[T, N]`.
        gamma: Discount per step, in [0, 1].
        lam: Decay of the estimator per step, in [0, 1].

    Returns:
        Advantages and returns `A + V`, both `[T, N]`.
    """
    goes_on = 1.0 - terminated.to(rewards.dtype)
    uncut = 1.0 - (terminated | truncated).to(rewards.dtype)
    deltas = rewards + goes_on * gamma * next_values - values
    decay = uncut * gamma * lam
    advantages = torch.empty_like(rewards)
    following = torch.zeros_like(rewards[0])
    for t in reversed(range(rewards.shape[0])):
        following = torch.add(deltas[t], decay[t] * following, out=advantages[t])
    return advantages, advantages + values


def normalize_advantages(advantages: Tensor, ranks: Ranks = ALONE, eps: float = 1e-8) -> Tensor:
    """`(A - mean) / (std + eps)` over all samples of all ranks, with the unbiased standard deviation."""
    std, mean = ranks.std_mean(advantages)
    return (advantages - mean) / (std + eps)


def join_advantages(advantages: Tensor, weights: Iterable[float], ranks: Ranks = ALONE) -> Tensor:
    """Advantages of several critics as one (Zargarbashi et al. 2024, arXiv:2407.11562).

    `sum_g w_g (A_g - mean A_g) / (std A_g + eps)`: a group counts by its weight, however large or rare its rewards are.

    Args:
        advantages: `[T, N, G]`.
        weights: `w`, one per group.
        ranks: Whose samples mean and deviation are of.

    Returns:
        `[T, N]`.
    """
    groups = zip(advantages.unbind(dim=-1), weights, strict=True)
    return torch.stack([weight * normalize_advantages(group, ranks) for group, weight in groups]).sum(dim=0)


def running_sums(rewards: Tensor, before: Tensor, discount: float) -> Tensor:
    """The discounted sum of what came before: `s[t] = discount s[t - 1] + r[t]`.

    Args:
        rewards: `[T, N]`.
        before: `s[-1]`, `[N]`.
        discount: Per step, in [0, 1].

    Returns:
        `[T, N]`.
    """
    sums = torch.empty_like(rewards)
    for t in range(rewards.shape[0]):
        before = torch.add(rewards[t], before, alpha=discount, out=sums[t])
    return sums
