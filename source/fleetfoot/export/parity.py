"""An exported file counts only when it computes what the torch policy computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fleetfoot.errors import ExportError
from fleetfoot.export.policy import PARITY_SAMPLES, PARITY_TOLERANCE, ExportedPolicy

__all__ = ["parity_error"]


def parity_error(policy: ExportedPolicy, exported: Callable[[Tensor], Tensor], path: Path) -> float:
    """Compare an exported file with the policy, on observations like those it was trained on and far beyond.

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
    errors: list[Tensor] = []
    for batch, scale in ((1, 1.0), (PARITY_SAMPLES, 1.0), (PARITY_SAMPLES, 10.0)):
        obs = scale * torch.randn(batch, policy.in_dim, generator=generator)
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
