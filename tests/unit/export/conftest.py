from pathlib import Path

import pytest
import torch

from fleetfoot.export.onnx import _trace, export_onnx
from fleetfoot.export.policy import ExportedPolicy
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import ActorCfg, MlpCfg


@pytest.fixture
def actor(generator) -> Actor:
    """Two groups of observations, a normaliser that has seen something, three actions."""
    return make_actor(generator)


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    """The file of the same actor, for tests that only read it: to write it takes a second."""
    actor = make_actor(torch.Generator().manual_seed(20_240_607))
    metadata = {"task": "Toy", "policy_contract": {"joint_names": ["a", "b"], "joint_damping": [1.5, 2.5]}}
    return export_onnx(actor, tmp_path_factory.mktemp("exported") / "policy.onnx", metadata)


def make_actor(generator: torch.Generator) -> Actor:
    cfg = ActorCfg(network=MlpCfg(hidden_dims=(16, 8)), obs_normalization=True)
    actor = build_actor(cfg, ("policy", "command"), {"policy": (4,), "command": (2,)}, 3)
    for parameter in actor.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    seen = 5 * torch.randn(200, 6, generator=generator) + torch.arange(6.0)
    actor.inputs.normalizer.update(seen)
    return actor


@pytest.fixture(scope="session")
def traced() -> bytes:
    """The same actor as an ONNX model, for tests that go on from there: to trace it takes a second."""
    return _trace(ExportedPolicy(make_actor(torch.Generator().manual_seed(20_240_607)))).SerializeToString()


@pytest.fixture
def plain_actor() -> Actor:
    """Without a normaliser."""
    return build_actor(ActorCfg(network=MlpCfg(hidden_dims=(8,))), ("policy",), {"policy": (4,)}, 2)
