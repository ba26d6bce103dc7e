"""What environments of the real Isaac Lab say of themselves to whoever runs a policy."""

import json

import onnx
import pytest
import torch

from fleetfoot.core.vec_env import DescribedEnv
from fleetfoot.export.contract import SCHEMA, input_terms

ANYMAL, CARTPOLE, DIRECT = "Isaac-Velocity-Flat-AnymalD", "Isaac-Cartpole", "Isaac-Cartpole-Direct"
GROUP = "env.observations.policy"


def described(env):
    """As it comes back from a file."""
    assert isinstance(env, DescribedEnv)
    return json.loads(json.dumps(env.policy_contract(), allow_nan=False))


def test_what_a_walking_robot_says_is_what_happens(made):
    with made(ANYMAL, 2, play=True) as env:
        contract, robot = described(env), env.unwrapped.scene["robot"]
        assert contract["joint_names"] == robot.joint_names == list(env.action_spec.names)
        assert (contract["step_dt"], contract["decimation"]) == (pytest.approx(0.02), 4)
        env.reset(3)
        actions = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
        obs = env.step(actions).obs["policy"]
        scale, offset = (torch.tensor(contract["actions"][key]) for key in ("scale", "offset"))
        targets = env.unwrapped.action_manager.get_term("joint_pos").processed_actions
        torch.testing.assert_close(offset + scale * actions, targets)
        terms = {term["name"]: term for term in input_terms(["policy"], contract["observations"], {})}
        seen = {name: obs[:, term["start"] : term["start"] + term["size"]] for name, term in terms.items()}
        assert sum(term["size"] for term in terms.values()) == obs.shape[1]
        torch.testing.assert_close(seen["actions"], actions)
        default = torch.tensor(contract["default_joint_pos"])
        torch.testing.assert_close(seen["joint_pos"], robot.data.joint_pos.torch - default)
        assert contract["command_names"] == ["base_velocity"]
        ranges = [contract["command_ranges"][key] for key in ("lin_vel_x", "lin_vel_y", "ang_vel_z")]
        low, high = torch.tensor(ranges).T
        assert ((low <= seen["velocity_commands"]) & (seen["velocity_commands"] <= high)).all()


def test_drives_are_told_as_far_as_they_are_known(made):
    """ANYmal's are a network, which has limits and no gains; those of the cart are simulated with it."""
    with made(ANYMAL, 1, play=True) as env:
        contract = described(env)
    assert contract["joint_effort_limit"] == [80.0] * 12
    assert contract["joint_velocity_limit"] == [7.5] * 12
    assert contract["joint_saturation_effort"] == [120.0] * 12
    assert not {"joint_stiffness", "joint_damping"} & contract.keys()
    with made(CARTPOLE, 1) as env:
        contract = described(env)
    assert (contract["joint_stiffness"], contract["joint_damping"]) == ([0.0, 0.0], [10.0, 0.0])
    assert contract["joint_position_limit"] == [[-4.0, 4.0], [None, None]]
    assert env.action_spec.names == ("slider_to_cart",)
    assert "actions" not in contract  # they are forces, no targets


def test_terms_with_a_history_are_told_as_they_lie(made):
    words = {f"{GROUP}.history_length": "3", f"{GROUP}.joint_vel_rel.scale": "0.5"}
    words[f"{GROUP}.joint_vel_rel.clip"] = "[-0.1,0.1]"
    with made(CARTPOLE, 2, **words) as env:
        place, speed = described(env)["observations"]["policy"]
        assert place == {
            "name": "joint_pos_rel", "start": 0, "size": 6, "scale": 1.0, "offset": 0.0, "clip": None, "history": 3,
        }  # fmt: skip
        assert (speed["start"], speed["size"], speed["history"]) == (6, 6, 3)
        assert (speed["scale"], speed["clip"]) == (0.5, [-0.1, 0.1])
        env.reset(0)
        obs = env.step(torch.ones(2, 1)).obs["policy"]
        now = env.unwrapped.scene["robot"].data.joint_vel.torch.clip(*speed["clip"]) * speed["scale"]
        torch.testing.assert_close(obs[:, speed["start"] + 4 : speed["start"] + 6], now)
    with made(CARTPOLE, 2, **words, **{f"{GROUP}.history_order": "time"}) as env:
        assert described(env)["observations"] == {}  # frame after frame: no term lies in one piece


def test_a_direct_environment_says_what_it_is_built_of(made):
    with made(DIRECT, 2) as env:
        contract = described(env)
    assert contract["joint_names"] == ["slider_to_cart", "cart_to_pole"]
    assert contract["step_dt"] == pytest.approx(1 / 60)
    assert not {"actions", "observations", "command_names"} & contract.keys()


@pytest.mark.slow
def test_a_policy_that_is_exported_carries_it(script, tmp_path):
    logs = ("--log_root", str(tmp_path), "--run_name", "short", "--no_final_video")
    script("train", "--task", ANYMAL, "--device", "cpu", "--num_envs", "4", "--max_iterations", "1", *logs)
    (path,) = tmp_path.glob("*/*_short/exported/policy.onnx")
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    contract = json.loads(properties["fleetfoot"])
    assert (contract["schema"], contract["task"]) == (SCHEMA, ANYMAL)
    assert contract["num_observations"] == 48
    assert [term["name"] for term in contract["observations"]] == properties["observation_names"].split(",")
    assert contract["actions"]["names"] == contract["joint_names"] == properties["joint_names"].split(",")
    assert {float(scale) for scale in properties["action_scale"].split(",")} == {0.5}
