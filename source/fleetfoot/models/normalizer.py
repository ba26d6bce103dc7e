"""Empirical normalisation: observations scaled by their running mean and standard deviation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.core.distributed import ALONE, Ranks

__all__ = ["EmpiricalNormalizer"]


@final
class EmpiricalNormalizer(nn.Module):
    """`y = (x - mean) / (std + eps)` with the moments of everything seen by `update`.

    The moments of a batch are merged exactly (Chan et al. 1979), so the order of the batches does not matter. They
    change only in `update`, never while the policy acts or learns: the policy that collected a rollout is the policy
    that the first mini-batch sees.

    Args:
        size: Number of features `O`.
        eps: Added to the standard deviation, so that a constant feature is not blown up.
        kept: Which features are left as they are, bool `[O]`; None for none.
    """

    mean: Tensor
    var: Tensor
    count: Tensor
    learned: Tensor | None

    def __init__(self, size: int, eps: float = 1e-2, kept: Tensor | None = None) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("var", torch.ones(size))
        self.register_buffer("learned", None if kept is None else 1.0 - kept.float(), persistent=False)
        if kept is not None:
            self.var[kept] = (1.0 - eps) ** 2  # so that they are divided by one
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[…, O]`."""
        return (x - self.mean) / (self.var.sqrt() + self.eps)

    @torch.no_grad()
    def update(self, x: Tensor, ranks: Ranks = ALONE) -> None:
        """Merge the moments of `[…, O]` on all ranks.

        With `n` new samples of mean `m` and (biased) variance `v`, and `w = n / (count + n)`:
        `mean += w d` and `var += w (v - var + d (m - mean'))`, where `d = m - mean` before and `mean'` is after.
        """
        flat = x.flatten(0, -2)
        new_var, new_mean = ranks.var_mean(flat)
        size = flat.shape[0] * ranks.world_size
        self.count += size
        weight = size / self.count
        if self.learned is not None:
            weight = weight * self.learned
        delta = new_mean - self.mean
        self.mean += weight * delta
        self.var += weight * (new_var - self.var + delta * (new_mean - self.mean))
