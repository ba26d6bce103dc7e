import json

import pytest
import torch

from fleetfoot.core.files import atomic_write
from fleetfoot.errors import ExportError, OutputError
from fleetfoot.export.parity import parity_error
from fleetfoot.export.policy import ExportedPolicy
from fleetfoot.export.torchscript import _runner, _write, export_torchscript

METADATA = {"task": "Toy", "policy_contract": {"joint_names": ["a", "b"]}}

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.fixture
def exported(actor, tmp_path):
    return export_torchscript(actor, tmp_path / "exported" / "policy.pt", METADATA)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_it_computes_the_actions_for_any_batch(actor, exported, generator, batch):
    obs = 3 * torch.randn(batch, 6, generator=generator)
    expected = actor({"policy": obs[:, :4], "command": obs[:, 4:]})[0].mean.detach()
    torch.testing.assert_close(torch.jit.load(exported)(obs), expected, rtol=1e-5, atol=1e-5)


def test_it_is_one_file(exported):
    assert list(exported.parent.iterdir()) == [exported]


def test_it_carries_the_contract_and_how_well_it_was_compared(exported):
    extra = {"fleetfoot.json": ""}
    torch.jit.load(exported, _extra_files=extra)
    contract = json.loads(extra["fleetfoot.json"])
    assert (contract["schema"], contract["task"], contract["joint_names"]) == ("fleetfoot.policy", "Toy", ["a", "b"])
    assert 0.0 <= contract["parity_error"] < 1e-5


def test_exporting_warns_of_nothing(plain_actor, tmp_path, recwarn):
    export_torchscript(plain_actor, tmp_path / "policy.pt", {})
    assert not recwarn.list


def test_a_module_with_another_weight_is_refused(actor, exported, tmp_path):
    script = torch.jit.load(exported)
    with torch.no_grad():
        dict(script.named_parameters())["policy.policy.network.layers.2.weight"][0, 0] += 0.01
    policy = ExportedPolicy(actor)
    with pytest.raises(ExportError, match="Do not deploy this file"):
        parity_error(policy, _runner(policy, script), tmp_path / "policy.pt")


def test_what_lies_on_the_disk_is_compared(actor, exported, tmp_path):
    """A file with the weights of yesterday never gets its name."""
    script = torch.jit.load(exported)
    torch.nn.init.zeros_(actor.network.layers[0].weight)
    path = tmp_path / "new" / "policy.pt"
    with pytest.raises(ExportError, match=f"^{path}: "):
        atomic_write(path, lambda temporary: _write(script, "{}", ExportedPolicy(actor), temporary, path))
    assert not list(path.parent.iterdir())


def test_a_policy_of_nan_is_refused_and_leaves_no_file(actor, tmp_path):
    torch.nn.init.constant_(actor.network.layers[0].weight, torch.nan)
    with pytest.raises(ExportError):
        export_torchscript(actor, tmp_path / "policy.pt", {})
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(plain_actor, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="policy.pt"):
        export_torchscript(plain_actor, tmp_path / "file" / "policy.pt", {})
