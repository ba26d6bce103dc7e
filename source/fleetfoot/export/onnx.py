"""ONNX export: one file, any batch size, the policy contract inside, compared in ONNX Runtime before it counts."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fleetfoot.core.files import atomic_write
from fleetfoot.export.contract import build_contract, to_json
from fleetfoot.export.mjlab import mjlab_properties
from fleetfoot.export.parity import Exported, parity_error
from fleetfoot.export.policy import ExportedPolicy
from fleetfoot.models.actor_critic import Actor

__all__ = ["export_onnx"]

OPSET = 18


def export_onnx(actor: Actor, path: Path, metadata: Mapping[str, Any]) -> Path:
    """Write the policy as `obs [batch, O]` → `actions [batch, A]`; `export.policy` says what goes in and out besides.

    Args:
        actor: The policy.
        path: The file to write.
        metadata: The checkpoint's metadata, from which the policy contract is made. It goes into the file as JSON under
            the key `fleetfoot` and, for robots with joints, under mjlab's keys as well.

    Returns:
        The path.

    Raises:
        ContractError: What the environment says of itself does not fit the policy.
        ExportError: ONNX Runtime computes other actions than torch; nothing new is at `path`.
    """
    import onnx

    policy = ExportedPolicy(actor)
    model = _trace(policy)
    worst = parity_error(policy, _runner(model.SerializeToString()), path)
    contract = build_contract(actor, metadata, parity_error=worst)
    onnx.helper.set_model_props(model, {"fleetfoot": to_json(contract), **mjlab_properties(contract)})
    onnx.checker.check_model(model)
    atomic_write(path, lambda temporary: _write(model, policy, temporary, path))
    return path


def _write(model: Any, policy: ExportedPolicy, file: Path, path: Path) -> None:
    """Fill `file`, which will be `path`, and compare what can be read from it."""
    file.write_bytes(model.SerializeToString())
    parity_error(policy, _runner(str(file)), path)


def _trace(policy: ExportedPolicy) -> Any:
    """The policy as an ONNX model, all weights inside."""
    batch = torch.export.Dim("batch", min=1)
    observed = [{0: batch}] * policy.num_observed
    state = [{1: batch}] * len(policy.memory.state_names)
    with _quiet(), contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            policy,
            policy.example(2),
            dynamo=True,
            opset_version=OPSET,
            input_names=policy.input_names,
            output_names=policy.output_names,
            dynamic_shapes={"tensors": (*observed, *state)},
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _runner(model: bytes | str) -> Exported:
    """A function that runs a model, serialised or in a file, in ONNX Runtime on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        values = (x.numpy().astype(np.float32) for x in tensors)
        return tuple(torch.from_numpy(np.asarray(x)) for x in session.run(None, dict(zip(names, values, strict=True))))

    return run


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter's notes about its own internals are nothing a user can act on."""
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "onnxscript", "onnx_ir")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name in levels:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
