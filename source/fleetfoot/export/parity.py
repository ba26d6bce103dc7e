"""An exported file counts only when it computes what the torch policy computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fleetfoot.errors import ExportError
from fleetfoot.export.policy import PARITY_SAMPLES, PARITY_TOLERANCE, ExportedPolicy
from fleetfoot.models.normalizer import EmpiricalNormalizer

__all__ = ["parity_error"]


def parity_error(policy: ExportedPolicy, exported: Callable[[Tensor], Tensor], path: Path) -> float:
    """Compare an exported file with the policy, on observations like those it was trained on and far beyond.

    They are drawn around the normaliser's mean, with its standard deviation and with ten times that; around 0 with 1
    and 10 where there is no normaliser.

    Args:
        policy: The original.
        exported: Runs the file: `[B, O]` to `[B, A]`.
        path: The file, for the error.

    Returns:
        The largest difference of an action, `|a' - a| / max(1, |a|)`.

    Raises:
        ExportError: It is above the tolerance.
    """
    generator = torch.Generator().manual_seed(0)
    mean, std = _moments(policy)
    errors: list[Tensor] = []
    for batch, scale in ((1, 1.0), (PARITY_SAMPLES, 1.0), (PARITY_SAMPLES, 10.0)):
        obs = mean + scale * std * torch.randn(batch, policy.in_dim, generator=generator)
        expected, got = policy(obs), exported(obs)
        errors.append(((got - expected).abs() / expected.abs().clamp(min=1.0)).max())
    worst = float(torch.stack(errors).max())  # of tensors: NaN is the largest of all, and above any tolerance
    if not worst <= PARITY_TOLERANCE:
        raise ExportError(
            str(path),
            got=f"actions that differ by up to {worst:.3g} from those of the trained policy",
            expected=f"a difference below {PARITY_TOLERANCE:g}",
            fix="Do not deploy this file; please report it with the versions of torch, onnx and onnxruntime.",
        )
    return worst


def _moments(policy: ExportedPolicy) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of what the policy was trained on, `[O]` each, as its normaliser has seen them.

    The standard deviation is the one that it divides by, so that an observation that never changed is moved as well.
    """
    normalizer = policy.normalizer
    if isinstance(normalizer, EmpiricalNormalizer):
        return normalizer.mean, normalizer.var.sqrt() + normalizer.eps
    return torch.zeros(policy.in_dim), torch.ones(policy.in_dim)
