"""TorchScript export: `torch.jit.load(path)(obs)`, compared with the torch policy before it counts.

A policy with a memory keeps it in the module, as robots' programs expect: `reset()` when an episode begins. Images are
a list after the observations: `policy(obs, [camera])`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from fleetfoot.core.files import atomic_write
from fleetfoot.export.contract import build_contract, to_json
from fleetfoot.export.parity import Exported, parity_error
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
        script = _script(policy)
        worst = parity_error(policy, _runner(policy, script), path)
        contract = build_contract(actor, metadata, parity_error=worst)
        atomic_write(path, lambda temporary: _write(script, to_json(contract), policy, temporary, path))
    return path


def _write(script: Any, contract: str, policy: ExportedPolicy, file: Path, path: Path) -> None:
    """Fill `file`, which will be `path`, and compare what can be read from it."""
    torch.jit.save(script, str(file), _extra_files={"fleetfoot.json": contract})
    parity_error(policy, _runner(policy, torch.jit.load(str(file), map_location="cpu")), path)


@final
class _Packed(nn.Module):
    """The policy with all that is observed in one tensor `[B, …]`, and all of the memory in another: for tracing."""

    def __init__(self, policy: ExportedPolicy) -> None:
        super().__init__()
        self.policy = policy
        example = policy.example(1)
        self.observed = [x.shape[1:] for x in example[: policy.num_observed]]
        self.state = [(x.shape[0], x.shape[2]) for x in example[policy.num_observed :]]

    @property
    def memory_size(self) -> int:
        """Numbers to remember per robot."""
        return sum(math.prod(shape) for shape in self.state)

    def forward(self, observed: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Actions `[B, A]` and the next memory `[B, M]`."""
        parts = observed.split([math.prod(shape) for shape in self.observed], dim=1)
        observations = (x.unflatten(1, shape) for x, shape in zip(parts, self.observed, strict=True))
        remembered = memory.split([math.prod(shape) for shape in self.state], dim=1) if self.state else ()
        state = (x.unflatten(1, shape).transpose(0, 1) for x, shape in zip(remembered, self.state, strict=True))
        actions, *after = self.policy(*observations, *state)
        return actions, pack(after) if after else memory


@final
class _Remembering(nn.Module):
    """What is written: calls the traced policy and keeps its memory. Scripted, so in the words that TorchScript has."""

    def __init__(self, policy: nn.Module, memory_size: int) -> None:
        super().__init__()
        self.policy = policy
        self.register_buffer("memory", torch.zeros(1, memory_size))

    def forward(self, obs: Tensor, images: list[Tensor] | None = None) -> Tensor:
        """The most likely actions `[B, A]` for flat observations `[B, O]` and images `[B, C, H, W]`."""
        observed = obs
        if images is not None:
            for image in images:
                observed = torch.cat((observed, image.flatten(1)), dim=1)
        if self.memory.shape[0] != observed.shape[0]:
            self.memory = torch.zeros(observed.shape[0], self.memory.shape[1], device=observed.device)
        actions, self.memory = self.policy(observed, self.memory)
        return actions

    @torch.jit.export
    def reset(self) -> None:
        self.memory = torch.zeros_like(self.memory)


def pack(state: Any) -> Tensor:
    """A memory `[L, B, H]` each as one tensor `[B, M]`."""
    return torch.cat([x.transpose(0, 1).flatten(1) for x in state], dim=1)


def _script(policy: ExportedPolicy) -> Any:
    """The module that is written."""
    packed = _Packed(policy)
    observed = torch.zeros(2, sum(math.prod(shape) for shape in packed.observed))
    traced: Any = torch.jit.trace(packed, (observed, torch.zeros(2, packed.memory_size)), check_trace=False)
    return torch.jit.script(_Remembering(traced, packed.memory_size).eval())


def _runner(policy: ExportedPolicy, script: Any) -> Exported:
    """A function that runs the module with the memory that it is given."""
    packed = _Packed(policy)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        observed, state = tensors[: policy.num_observed], tensors[policy.num_observed :]
        if state:
            script.memory = pack(state)
        flat, *images = observed if policy.inputs.groups else (torch.zeros(observed[0].shape[0], 0), *observed)
        actions = script(flat, images)
        parts = script.memory.split([math.prod(shape) for shape in packed.state], dim=1) if state else ()
        after = (x.unflatten(1, shape).transpose(0, 1) for x, shape in zip(parts, packed.state, strict=True))
        return actions, *after

    return run
