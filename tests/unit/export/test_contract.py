import json
import math

import onnx
import pytest
import torch

from fleetfoot import __version__
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import ContractError
from fleetfoot.export.contract import build_contract, check_contract, to_json
from fleetfoot.export.mjlab import mjlab_properties
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import ActorCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.tasks.registry import find_task

TERM = {"offset": 0.0, "clip": None, "scale": 1.0, "history": 1}
DESCRIBED = {
    "task": "Legs",
    "robot": "legs",
    "joint_names": ["hip", "knee", "toe"],
    "default_joint_pos": [0.1, -0.4, 0.0005],
    "joint_stiffness": [80.0, 80.0, 40.0],
    "joint_damping": [5.0, 5.0, 2.0],
    "joint_effort_limit": [90.0, 90.0, math.inf],
    "joint_saturation_effort": [120.0, 120.0, math.inf],
    "joint_velocity_limit": [7.5, 7.5, 7.5],
    "quaternion_order": "wxyz",
    "command_names": ["base_velocity"],
    "command_ranges": {"lin_vel_x": [-1.0, 1.0], "heading": [-3.0, 3.0]},
    "step_dt": 0.02,
    "decimation": 4,
    "actions": {"names": ["hip", "knee", "toe"], "scale": [0.5] * 3, "offset": [0.1, -0.4, 0.0005], "clip": 100.0},
    "observations": {
        "command": [{**TERM, "name": "velocity_commands", "start": 0, "size": 2, "clip": [-5.0, math.inf]}],
        "critic": [{**TERM, "name": "friction", "start": 0, "size": 1}],
        "policy": [
            {**TERM, "name": "gravity", "start": 0, "size": 3},
            {**TERM, "name": "speed", "start": 3, "size": 1, "scale": 0.25, "history": 5},
        ],
    },
}
METADATA = {
    "task": "Legs",
    "policy_contract": DESCRIBED,
    "iteration": 300,
    "env_steps": 1_843_200,
    "git": {"commit": "abc", "dirty": False},
    "versions": {"fleetfoot": "0.1", "torch": "2.6"},
    "agent": {"seed": 1},
    "env": {"decimation": 4},
}


def changed(**changes) -> dict:
    return {**METADATA, "policy_contract": {**DESCRIBED, **changes}}


@pytest.fixture
def contract(actor) -> dict:
    return build_contract(actor, METADATA, parity_error=1e-7)


def test_observation_terms_are_those_of_the_policy_in_the_order_of_its_input(contract):
    """The actor of the fixture takes `policy` and then `command`; the environment names them the other way round."""
    assert [(term["group"], term["name"], term["start"], term["size"]) for term in contract["observations"]] == [
        ("policy", "gravity", 0, 3),
        ("policy", "speed", 3, 1),
        ("command", "velocity_commands", 4, 2),
    ]
    assert [term["scale"] for term in contract["observations"]] == [1.0, 0.25, 1.0]
    assert [term["history"] for term in contract["observations"]] == [1, 5, 1]
    assert contract["num_observations"] == 6


def test_it_says_what_it_is_and_where_it_comes_from(contract):
    assert (contract["schema"], contract["schema_version"]) == ("fleetfoot.policy", 1)
    assert (contract["task"], contract["iteration"], contract["env_steps"]) == ("Legs", 300, 1_843_200)
    assert contract["git"] == METADATA["git"]
    assert contract["trained_with"] == METADATA["versions"]
    assert contract["config"] == {"agent": {"seed": 1}, "env": {"decimation": 4}}
    assert (contract["normalizer_included"], contract["recurrent_states"]) == (True, [])
    assert contract["parity_error"] == 1e-7
    assert contract["software"]["fleetfoot"] == __version__
    assert contract["software"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"python", "mujoco", "onnx", "onnxruntime", "numpy"} <= contract["software"].keys()


def test_the_robot_is_described_in_full_precision(contract):
    for key in ("joint_names", "default_joint_pos", "joint_stiffness", "joint_damping", "step_dt", "decimation"):
        assert contract[key] == DESCRIBED[key]
    assert contract["actions"] == DESCRIBED["actions"]
    assert contract["command_ranges"]["heading"] == [-3.0, 3.0]
    assert contract["quaternion_order"] == "wxyz"


def test_what_is_unbounded_is_null(contract):
    assert contract["joint_effort_limit"] == [90.0, 90.0, None]
    assert contract["observations"][2]["clip"] == [-5.0, None]
    assert json.loads(to_json(contract)) == contract


def test_an_environment_that_describes_nothing(plain_actor):
    contract = build_contract(plain_actor, {}, parity_error=0.0)
    assert (contract["num_observations"], contract["num_actions"], contract["observations"]) == (4, 2, [])
    assert mjlab_properties(contract) == {}


def test_a_group_that_nobody_describes_has_a_place(plain_actor):
    contract = build_contract(plain_actor, {"observation_spec": {"policy": [4], "critic": [9]}}, parity_error=0.0)
    assert contract["observations"] == [{"name": "policy", "group": "policy", "start": 0, "size": 4}]


def test_a_runner_exports_the_policy_of_an_environment_that_describes_nothing(tmp_path):
    runner = OnPolicyRunner(
        ToyEnv(), OnPolicyRunnerCfg(experiment_name="toy", obs_groups=ObsGroupsCfg(actor=("policy",)))
    )
    path = runner.export_policy_to_onnx(tmp_path)
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert properties.keys() == {"fleetfoot"}
    contract = json.loads(properties["fleetfoot"])
    assert contract["observations"] == [{"name": "policy", "group": "policy", "start": 0, "size": 2}]
    assert (contract["num_actions"], contract["iteration"]) == (1, 0)


def test_the_contract_of_the_walking_task_is_complete():
    """Of every joint and every term there is all that a robot needs, in words of ours and in mjlab's."""
    task = find_task("Anymal-Flat")
    env = task.make_env(task.play_mode(task.env_cfg()), device="cpu", seed=0)
    actor = build_actor(ActorCfg(network=MlpCfg(hidden_dims=(4,))), ("policy",), env.observation_spec, 12)
    contract = build_contract(actor, {"policy_contract": env.policy_contract()}, parity_error=0.0)
    env.close()
    assert [len(contract[key]) for key in contract if key.startswith(("joint_", "default_joint"))] == [12] * 8
    assert [term["size"] for term in contract["observations"]] == [3, 3, 3, 3, 12, 12, 12]
    assert (contract["step_dt"], contract["decimation"], contract["quaternion_order"]) == (
        pytest.approx(0.02),
        4,
        "wxyz",
    )
    assert "heading" in contract["command_ranges"]
    properties = mjlab_properties(contract)
    assert properties["action_scale"] == ",".join(["0.500"] * 12)
    assert properties["joint_names"].split(",") == contract["joint_names"]
    assert properties["command_names"] == "base_velocity"
    assert len(properties) == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joint_stiffness": [80.0, 80.0]}, "joint_stiffness: got 2 values; expected 3"),
        ({"joint_saturation_effort": [120.0]}, "joint_saturation_effort: got 1 values; expected 3"),
        ({"joint_names": ["hip"]}, "default_joint_pos: got 3 values; expected 1"),
        ({"actions": {"names": ["hip"]}}, "actions.names: got 1 values; expected 3"),
        ({"step_dt": 0.0}, "step_dt: got 0.0"),
        ({"joint_damping": [5.0, math.nan, 2.0]}, "finite numbers"),
        ({"robot": {1, 2}}, "plain JSON"),
        ({"observations": {"policy": DESCRIBED["observations"]["policy"]}}, "observations: got terms of 4 numbers"),
        (
            {"observations": {**DESCRIBED["observations"], "policy": DESCRIBED["observations"]["policy"][1:]}},
            "observations.speed.start: got 3; expected 0",
        ),
    ],
)
def test_a_description_that_does_not_fit_is_refused(actor, changes, message):
    with pytest.raises(ContractError, match=message):
        build_contract(actor, changed(**changes), parity_error=0.0)


def test_whoever_loads_another_schema_is_told(contract):
    with pytest.raises(ContractError, match="got fleetfoot.policy 2; expected fleetfoot.policy 1"):
        check_contract({**contract, "schema_version": 2})


def test_mjlab_reads_the_same_in_its_own_words(contract):
    """Three decimals, `;` within an entry; 0.0005 is not rounded to nothing, and one frame is no history."""
    assert mjlab_properties(contract) == {
        "run_path": "local",
        "joint_names": "hip,knee,toe",
        "joint_stiffness": "80.000,80.000,40.000",
        "joint_damping": "5.000,5.000,2.000",
        "default_joint_pos": "0.100,-0.400,0.0005",
        "command_names": "base_velocity",
        "observation_names": "gravity,speed,velocity_commands",
        "observation_terms_scale": "1.000,0.250,1.000",
        "observation_terms_flatten_history_dim": "1.000,1.000,1.000",
        "observation_terms_history_length": "0.000,5.000,0.000",
        "observation_terms_clip": "-inf;inf,-inf;inf,-5.000;inf",
        "action_scale": "0.500,0.500,0.500",
    }


def test_mjlab_gets_no_action_scale_that_its_readers_would_misuse(actor):
    """They add it to the default pose, joint by joint: actions that mean something else are in the JSON alone."""
    other = {**DESCRIBED["actions"], "offset": [0.0, 0.0, 0.0]}
    contract = build_contract(actor, changed(actions=other), parity_error=0.0)
    assert "action_scale" not in mjlab_properties(contract)
    assert mjlab_properties(contract)["joint_names"] == "hip,knee,toe"
