import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from fleetfoot.core.files import atomic_write
from fleetfoot.errors import ContractError, ExportError, OutputError
from fleetfoot.export.onnx import _runner, _write, export_onnx
from fleetfoot.export.parity import parity_error
from fleetfoot.export.policy import ExportedPolicy


def run(path, obs: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (actions,) = session.run(["actions"], {"obs": obs.numpy()})
    return torch.from_numpy(np.asarray(actions))


def test_it_computes_the_actions_for_any_batch(actor, exported, generator):
    for batch in (1, 3, 100):
        obs = 3 * torch.randn(batch, 6, generator=generator)
        expected = actor({"policy": obs[:, :4], "command": obs[:, 4:]})[0].mean.detach()
        torch.testing.assert_close(run(exported, obs), expected, rtol=1e-5, atol=1e-5)


def test_it_is_one_file(exported):
    assert list(exported.parent.iterdir()) == [exported]
    assert not any(tensor.external_data for tensor in onnx.load(exported).graph.initializer)


def test_inputs_and_outputs_have_names_and_a_free_batch(exported):
    graph = onnx.load(exported).graph
    axes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert axes == {"obs": ["batch", 6], "actions": ["batch", 3]}


def test_it_carries_the_contract_and_how_well_it_was_compared(exported):
    properties = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    contract = json.loads(properties["fleetfoot"])
    assert (contract["schema"], contract["task"]) == ("fleetfoot.policy", "Toy")
    assert (contract["joint_names"], contract["joint_damping"]) == (["a", "b"], [1.5, 2.5])
    assert 0.0 <= contract["parity_error"] < 1e-5


def test_it_carries_the_keys_that_mjlab_s_readers_know(exported):
    properties = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    assert (properties["joint_names"], properties["joint_damping"]) == ("a,b", "1.500,2.500")


def test_a_description_that_does_not_fit_leaves_no_file(plain_actor, tmp_path):
    metadata = {"policy_contract": {"joint_names": ["a", "b"], "joint_damping": [1.5]}}
    with pytest.raises(ContractError, match="joint_damping"):
        export_onnx(plain_actor, tmp_path / "policy.onnx", metadata)
    assert not list(tmp_path.iterdir())


def test_without_a_normaliser_too(plain_actor, tmp_path):
    path = export_onnx(plain_actor, tmp_path / "policy.onnx", {})
    obs = torch.ones(3, 4)
    torch.testing.assert_close(run(path, obs), plain_actor({"policy": obs})[0].mean.detach())


def test_a_model_with_another_weight_is_refused(actor, traced, tmp_path):
    policy = ExportedPolicy(actor)
    model = onnx.load_from_string(traced)
    parity_error(policy, _runner(traced), tmp_path / "policy.onnx")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("network.layers.2.weight"))
    wrong = onnx.numpy_helper.to_array(weight).copy()
    wrong[0, 0] += 0.01
    weight.CopyFrom(onnx.numpy_helper.from_array(wrong, weight.name))
    with pytest.raises(ExportError, match="Do not deploy this file"):
        parity_error(policy, _runner(model.SerializeToString()), tmp_path / "policy.onnx")


def test_what_lies_on_the_disk_is_compared(actor, traced, tmp_path):
    """A file with the weights of yesterday never gets its name."""
    model = onnx.load_from_string(traced)
    torch.nn.init.zeros_(actor.network.layers[0].weight)
    path = tmp_path / "policy.onnx"
    with pytest.raises(ExportError, match=f"^{path}: "):
        atomic_write(path, lambda temporary: _write(model, ExportedPolicy(actor), temporary, path))
    assert not list(tmp_path.iterdir())


def test_a_policy_of_nan_is_refused_and_leaves_no_file(actor, tmp_path):
    torch.nn.init.constant_(actor.network.layers[0].weight, torch.nan)
    with pytest.raises(ExportError):
        export_onnx(actor, tmp_path / "policy.onnx", {})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(plain_actor, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="policy.onnx"):
        export_onnx(plain_actor, tmp_path / "file" / "policy.onnx", {})
