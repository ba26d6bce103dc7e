"""What environments of others say, in our words: of a step as metrics, of themselves in a policy contract."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["as_metrics", "describe_joint_targets", "describe_term"]


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


def describe_joint_targets(
    names: Sequence[str], terms: Iterable[tuple[Tensor | float, Tensor | float, int]], clip: float | None
) -> dict[str, Any]:
    """`offset + scale * clip(action)`, for each action.

    Args:
        names: The joint that each moves.
        terms: Scale, offset and number of actions of each term; a tensor is `[N, number]`, alike in every environment.
        clip: What actions are kept within.
    """
    scale: list[float] = []
    offset: list[float] = []
    for scale_of_term, offset_of_term, size in terms:
        scale += _of_one(scale_of_term, size)
        offset += _of_one(offset_of_term, size)
    return {"names": list(names), "scale": scale, "offset": offset, "clip": clip}


def describe_term(cfg: Any) -> dict[str, Any]:
    """What a manager's config says of an observation term: it is clipped before it is scaled, as in the contract."""
    scale = 1.0 if cfg.scale is None else torch.as_tensor(cfg.scale).tolist()
    clip = None if cfg.clip is None else list(cfg.clip)
    return {"scale": scale, "offset": 0.0, "clip": clip, "history": max(1, cfg.history_length)}


def _of_one(value: Tensor | float, size: int) -> list[float]:
    """Of one environment, one for each action."""
    return value[0].tolist() if isinstance(value, Tensor) else [float(value)] * size
