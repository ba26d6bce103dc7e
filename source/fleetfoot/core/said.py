"""What environments of others say of a step, as the metrics of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["as_metrics"]


def as_metrics(said: Mapping[str, Any], device: torch.device, *, prefix: str = "") -> dict[str, Tensor]:
    """Scalars `[]` on the device, none of which is an alias: the mean of a tensor, and numbers that are finite.

    Numbers of the host go to the device together: one copy in a step, however many there are.

    Args:
        said: Tag to tensor, number or array; an empty one says nothing.
        device: Where they go.
        prefix: What stands before a tag that is in no section, as `Episode/`.
    """
    tags = {key: key if "/" in key else f"{prefix}{key}" for key in said}
    tensors = {key: x for key, x in said.items() if isinstance(x, Tensor)}
    metrics = {tags[key]: x.to(device, torch.float32, copy=True).mean() for key, x in tensors.items() if x.numel()}
    numbers = {tags[key]: float(torch.as_tensor(x).float().mean()) for key, x in said.items() if key not in tensors}
    numbers = {tag: x for tag, x in numbers.items() if math.isfinite(x)}  # NaN is how some say that nothing happened
    if numbers:
        there = torch.tensor(list(numbers.values()), dtype=torch.float32).to(device)
        metrics |= dict(zip(numbers, there.unbind(), strict=True))
    return metrics
