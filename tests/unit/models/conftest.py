"""Ways in which a network leaves torch."""

import contextlib
import io
import warnings
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

Run = Callable[..., tuple[Tensor, ...]]


def trace(module: nn.Module, example: tuple[Tensor, ...], axis: int) -> Run:
    """The module in TorchScript, as traced with the example alone; what would only hold for that is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        return torch.jit.trace(module, example, check_trace=False)


def to_onnx(module: nn.Module, example: tuple[Tensor, ...], axis: int) -> Run:
    """The module in ONNX Runtime, with `axis` of every input free."""
    shapes = {"tensors": tuple({axis: torch.export.Dim("batch", min=1)} for _ in example)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's notes about its own internals
        program = torch.onnx.export(module, example, dynamo=True, opset_version=18, dynamic_shapes=shapes)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(names, (x.numpy() for x in tensors), strict=True))
        return tuple(torch.from_numpy(np.asarray(x)) for x in session.run(None, values))

    return run


@pytest.fixture(
    params=[pytest.param(trace, id="torchscript"), pytest.param(to_onnx, id="onnx", marks=pytest.mark.slow)]
)
def convert(request) -> Callable[[nn.Module, tuple[Tensor, ...], int], Run]:
    """Each way, as a function of a module of tensors `*tensors`, an example, and the axis of the batch."""
    return request.param
