"""What keeps NaN, infinity and steep gradients out of the networks, all of it on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["count_non_finite", "take_step"]


def count_non_finite(rollout: RolloutBuffer) -> dict[str, Tensor]:
    """How many numbers of a rollout are NaN or infinite, by what they are, `[]` each."""
    checked = {"reward": rollout.rewards, "actions": rollout.actions}
    checked |= {f"obs/{group}": obs for group, obs in rollout.obs.items()}
    return {f"NonFinite/{name}": (~x.isfinite()).sum().float() for name, x in checked.items()}


def take_step(
    optimizer: torch.optim.Optimizer, parts: Sequence[Sequence[Tensor]], max_norms: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Scale the gradients down, and step; a step with a NaN or infinite gradient is left out.

    Args:
        optimizer: Of all the parts; one of `optimizers`.
        parts: The parameters of each network.
        max_norms: What the gradient of each is scaled down to.

    Returns:
        The norms that the gradients had, one per part, and 1 if the step was left out, else 0, `[]`.
    """
    norms = torch.stack([_clip_gradient(*part) for part in zip(parts, max_norms, strict=True)])
    # A step with a NaN or infinite gradient is left out on the device, by the optimiser itself.
    skipped = 1.0 - norms.isfinite().all().to(norms.dtype)
    optimizer.found_inf = skipped  # pyright: ignore[reportAttributeAccessIssue] (torch.amp's own protocol)
    optimizer.step()
    return norms, skipped


def _clip_gradient(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scale the gradient of one network down to a norm; returns the norm it had, `[]`: 0 where there is none."""
    moved = [p for p in parameters if p.grad is not None]
    if not moved:
        return parameters[0].new_zeros(())
    norm = get_total_norm([p.grad for p in moved if p.grad is not None])
    if max_norm < math.inf:
        clip_grads_with_norm_(moved, max_norm, norm)
    return norm
