"""An exported file counts only when it computes what the torch policy computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from fleetfoot.errors import ExportError
from fleetfoot.export.policy import PARITY_SAMPLES, PARITY_TOLERANCE, ExportedPolicy

__all__ = ["Exported", "parity_error"]

Exported = Callable[..., tuple[Tensor, ...]]
"""Runs an exported file for one step; takes and returns what an `ExportedPolicy` does."""

_STEPS = 4
"""Steps that a policy with a memory is followed for."""


def parity_error(policy: ExportedPolicy, exported: Exported, path: Path) -> float:
    """Compare an exported file with the policy, on observations like those it was trained on and far beyond.

    They are drawn around the normaliser's mean, with its standard deviation and with ten times that; around 0 with 1
    and 10 where there is no normaliser. A policy with a memory goes through some steps, each of the two with its own.

    Args:
        policy: The original.
        exported: Runs the file.
        path: The file, for the error.

    Returns:
        The largest difference of an action or of the memory, `|a' - a| / max(1, |a|)`.

    Raises:
        ExportError: It is above the tolerance.
    """
    generator = torch.Generator().manual_seed(0)
    errors: list[Tensor] = []
    for batch, scale in ((1, 1.0), (PARITY_SAMPLES, 1.0), (PARITY_SAMPLES, 10.0)):
        expected = got = (torch.empty(0), *policy.initial_state(batch))
        for _ in range(_STEPS if policy.memory.state_names else 1):
            observed = tuple(_observe(policy, batch, scale, generator))
            expected, got = policy(*observed, *expected[1:]), exported(*observed, *got[1:])
            errors += [((b - a).abs() / a.abs().clamp(min=1.0)).max() for a, b in zip(expected, got, strict=True)]
    worst = float(torch.stack(errors).max())  # of tensors: NaN is the largest of all, and above any tolerance
    if not worst <= PARITY_TOLERANCE:
        raise ExportError(
            str(path),
            got=f"actions that differ by up to {worst:.3g} from those of the trained policy",
            expected=f"a difference below {PARITY_TOLERANCE:g}",
            fix="Do not deploy this file; please report it with the versions of torch, onnx and onnxruntime.",
        )
    return worst


def _observe(policy: ExportedPolicy, batch: int, scale: float, generator: torch.Generator) -> Iterator[Tensor]:
    """Observations like those that the policy was trained on, times `scale`; images as bright as `scale`."""
    inputs = policy.inputs
    if inputs.groups:
        mean, std = _moments(policy)
        yield mean + scale * std * torch.randn(batch, inputs.flat_size, generator=generator)
    for shape in inputs.images.values():
        yield scale * torch.rand(batch, *shape, generator=generator)


def _moments(policy: ExportedPolicy) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of what the policy was trained on, `[O]` each, as its normaliser has seen them.

    The standard deviation is the one that it divides by, so that an observation that never changed is moved as well.
    """
    normalizer = policy.inputs.normalizer
    if normalizer is not None:
        return normalizer.mean, normalizer.var.sqrt() + normalizer.eps
    return torch.zeros(policy.inputs.flat_size), torch.ones(policy.inputs.flat_size)
