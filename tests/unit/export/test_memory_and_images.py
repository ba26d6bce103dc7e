"""Policies that remember, and that see images: in both formats, in ONNX Runtime and TorchScript themselves."""

import json

import onnx
import onnxruntime
import pytest
import torch

from fleetfoot.export.onnx import export_onnx
from fleetfoot.export.torchscript import export_torchscript
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import ActorCfg, AttentionCfg, BetaCfg, CnnCfg, GruCfg, LstmCfg, MlpCfg

SPEC = {"policy": (4,), "camera": (1, 8, 8), "wrist": (2, 8, 8)}
CNN = CnnCfg(output_channels=(3, 4), stride=(2,))
MEMORIES = {
    "none": None,
    "lstm": LstmCfg(hidden_dim=5, num_layers=2),
    "gru": GruCfg(hidden_dim=5),
    "attention": AttentionCfg(context=3, hidden_dim=4, num_heads=2),
}
STATES = {"none": [], "lstm": ["h", "c"], "gru": ["h"], "attention": ["past"]}
GROUPS = {"flat": ("policy",), "image": ("camera",), "both": ("policy", "wrist", "camera")}
STEPS = 5


CASES = [("none", "image"), ("lstm", "flat"), ("gru", "both"), ("attention", "flat")]
pytestmark = pytest.mark.slow


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def case(request):
    return request.param


@pytest.fixture(scope="module")
def memory(case):
    return case[0]


@pytest.fixture(scope="module")
def groups(case):
    return GROUPS[case[1]]


@pytest.fixture(scope="module")
def actor(memory, groups):
    images = any(len(SPEC[group]) == 3 for group in groups)
    cfg = ActorCfg(
        network=MlpCfg(hidden_dims=(8,)),
        memory=MEMORIES[memory],
        cnn=CNN if images else None,
        distribution=BetaCfg(),
        obs_normalization=tuple(group for group in groups if group != "wrist") if images else True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        actor = build_actor(cfg, groups, SPEC, 2)
        actor.inputs.update({group: 2.0 * torch.randn(6, *SPEC[group]) + 1.0 for group in groups})
    return actor.eval()


@pytest.fixture(scope="module")
def onnx_file(actor, tmp_path_factory):
    return export_onnx(actor, tmp_path_factory.mktemp("onnx") / "policy.onnx", {})


def observations(groups, batch, generator):
    return [{group: torch.randn(batch, *SPEC[group], generator=generator) for group in groups} for _ in range(STEPS)]


def expected(actor, episode) -> list[torch.Tensor]:
    state = actor.memory.initial_state(len(next(iter(episode[0].values()))), "cpu")
    actions = []
    with torch.no_grad():
        for obs in episode:
            distribution, state = actor.step(obs, state)
            actions.append(distribution.mode())
    return actions


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_runtime_acts_alike_step_by_step(actor, memory, groups, batch, onnx_file, generator):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    flat = ["obs"] if "policy" in groups else []
    names = [*flat, *(group for group in groups if group != "policy"), *(f"{name}_in" for name in STATES[memory])]
    assert [value.name for value in session.get_inputs()] == names
    assert [value.name for value in session.get_outputs()] == ["actions", *(f"{name}_out" for name in STATES[memory])]
    episode = observations(groups, batch, generator)
    state = [x.numpy() for x in actor.memory.initial_state(batch, "cpu")]
    for obs, wanted in zip(episode, expected(actor, episode), strict=True):
        fed = {"obs" if group == "policy" else group: x.numpy() for group, x in obs.items()}
        fed |= {f"{name}_in": value for name, value in zip(STATES[memory], state, strict=True)}
        actions, *state = session.run(None, fed)
        torch.testing.assert_close(torch.from_numpy(actions), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("batch", [1, 3])
def test_torchscript_remembers_until_it_is_reset(actor, groups, batch, tmp_path, generator):
    script = torch.jit.load(export_torchscript(actor, tmp_path / "policy.pt", {}))
    episode = observations(groups, batch, generator)
    for _ in range(2):
        script.reset()
        for obs, wanted in zip(episode, expected(actor, episode), strict=True):
            images = [x for group, x in obs.items() if group != "policy"]
            flat = obs.get("policy", torch.zeros(batch, 0))
            torch.testing.assert_close(script(flat, images), wanted, rtol=1e-4, atol=1e-5)


def test_the_contract_says_what_goes_in_besides(actor, memory, groups, onnx_file):
    contract = json.loads({entry.key: entry.value for entry in onnx.load(onnx_file).metadata_props}["fleetfoot"])
    images = [{"name": group, "shape": list(SPEC[group])} for group in groups if group != "policy"]
    assert contract["images"] == images
    shapes = [[x.shape[0], x.shape[2]] for x in actor.memory.initial_state(1, "cpu")]
    states = [{"name": name, "shape": shape} for name, shape in zip(STATES[memory], shapes, strict=True)]
    assert contract["recurrent_states"] == states
    assert contract["num_observations"] == (4 if "policy" in groups else 0)
