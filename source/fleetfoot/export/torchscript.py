"""TorchScript export: `torch.jit.load(path)(obs)`, compared with the torch policy before it counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fleetfoot.core.files import atomic_write
from fleetfoot.export.contract import build_contract, to_json
from fleetfoot.export.parity import parity_error
from fleetfoot.export.policy import ExportedPolicy
from fleetfoot.models.actor_critic import Actor

__all__ = ["export_torchscript"]


def export_torchscript(actor: Actor, path: Path, metadata: Mapping[str, Any]) -> Path:
    """Write the policy as a TorchScript module that maps `[batch, O]` to `[batch, A]`.

    Args:
        actor: The policy.
        path: The file to write.
        metadata: The checkpoint's metadata, from which the policy contract is made: the extra file `fleetfoot.json`.

    Returns:
        The path.

    Raises:
        ContractError: What the environment says of itself does not fit the policy.
        ExportError: The written file computes other actions than the policy; nothing new is at `path`.
    """
    policy = ExportedPolicy(actor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # robots run TorchScript, whatever torch recommends
        script: Any = torch.jit.trace(policy, torch.zeros(2, policy.in_dim), check_trace=False)
        worst = parity_error(policy, script, path)
        contract = build_contract(actor, metadata, parity_error=worst)
        atomic_write(path, lambda temporary: _write(script, to_json(contract), policy, temporary, path))
    return path


def _write(script: Any, contract: str, policy: ExportedPolicy, file: Path, path: Path) -> None:
    """Fill `file`, which will be `path`, and compare what can be read from it."""
    torch.jit.save(script, str(file), _extra_files={"fleetfoot.json": contract})
    parity_error(policy, torch.jit.load(str(file), map_location="cpu"), path)
