"""The velocity task over MuJoCo."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from fleetfoot.core.check import check_vec_env
from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.tasks.velocity import draws
from fleetfoot.tasks.velocity.config import CommandsCfg, EventsCfg, SceneCfg, VelocityEnvCfg, play_mode
from fleetfoot.tasks.velocity.env import make_env
from fleetfoot.tasks.velocity.state import RobotState

STILL = EventsCfg(
    friction=(0.8, 0.8),
    base_mass_offset=(0.0, 0.0),
    reset_position_xy=0.0,
    reset_yaw=0.0,
    reset_velocity=0.0,
    reset_joint_scale=(1.0, 1.0),
    push_interval=None,
)


def make(num_envs: int = 4, **changes: Any) -> TaskEnv[RobotState]:
    return make_env(replace(VelocityEnvCfg(), scene=SceneCfg(num_envs=num_envs), **changes), device="cpu", seed=0)


def test_keeps_the_contract() -> None:
    check_vec_env(make(8))


def test_observation_groups_are_isaac_labs_48_and_more_for_the_critic() -> None:
    env = make()
    assert env.observation_spec == {"policy": (48,), "critic": (70,)}
    assert (env.step_dt, env.max_episode_length, env.action_spec.size) == (0.02, 1000, 12)
    assert env.action_spec.names[:5] == ("LF_HAA", "LH_HAA", "RF_HAA", "RH_HAA", "LF_HFE")


def test_a_robot_that_is_left_alone_stands() -> None:
    env = make(events=STILL)
    result = [env.step(torch.zeros(4, 12)) for _ in range(50)][-1]
    assert not result.terminated.any()
    critic = result.obs["critic"]
    torch.testing.assert_close(critic[:, 6:9], torch.tensor([[0.0, 0.0, -1.0]]).expand(4, 3), atol=0.05, rtol=0)
    assert critic[:, :6].abs().max() < 0.1
    weight = critic[:, 48:52].sum(dim=1) * 100.0
    torch.testing.assert_close(weight, torch.full((4,), 52.135 * 9.81), atol=15.0, rtol=0)
    assert float(result.metrics["Metrics/track_lin_vel"]) <= 1.0


def test_an_action_turns_the_joint_of_its_name() -> None:
    env = make(events=STILL)
    actions = torch.zeros(4, 12)
    actions[:, env.action_spec.names.index("RF_HFE")] = 0.4
    result = [env.step(actions) for _ in range(25)][-1]
    moved = result.obs["critic"][0, 12:24].abs()
    assert env.action_spec.names[int(moved.argmax())] == "RF_HFE"


def test_a_robot_on_its_back_is_terminated() -> None:
    env = make(events=STILL)
    qpos, qvel = env.task.initial_state(1, torch.Generator())
    qpos[0, 3:7] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    env.sim.write_state(torch.tensor([2]), qpos, qvel)
    result = env.step(torch.zeros(4, 12))
    assert result.terminated.tolist() == [False, False, True, False]
    assert float(result.metrics["Episode_Termination/tilt"]) == 1.0


def test_robots_differ_in_friction_and_mass_and_the_critic_knows() -> None:
    env = make(16)
    critic = env.reset(seed=5)["critic"]
    offset = critic[:, -1] * 10.0
    assert offset.abs().max() <= 5.0
    assert offset.std() > 1.0
    assert ((critic[:, -2] >= 0.6) & (critic[:, -2] <= 1.0)).all()
    fields = env.sim.state_dict()["fields"]
    torch.testing.assert_close(fields["body_mass"][:, 1].float(), 26.373 + offset, atol=1e-4, rtol=0)
    torch.testing.assert_close(fields["geom_friction"][:, 0, 0].float(), critic[:, -2])


def test_a_resume_with_other_weights_and_pushes_goes_on_with_the_same_robots() -> None:
    cfg = VelocityEnvCfg()
    state = make(events=replace(cfg.events, push_interval=None)).state_dict()
    events = replace(cfg.events, push_interval=(0.02, 0.02), friction=(0.1, 0.2))
    env = make(rewards=replace(cfg.rewards, feet_air_time=0.0, dof_pos_limits=-1.0), events=events)
    env.load_state_dict(state)
    sums = env.state_dict()["reward_sums"]
    assert "feet_air_time" not in sums
    assert sums["dof_pos_limits"].tolist() == [0.0] * 4
    assert torch.equal(env.state_dict()["constants"]["friction"], state["constants"]["friction"])
    before = env.snapshot(0)["qvel"][:2].copy()
    env.step(torch.zeros(4, 12))
    assert (env.snapshot(0)["qvel"][:2] != before).all()


def test_play_mode_has_neither_noise_nor_pushes() -> None:
    cfg = play_mode(replace(VelocityEnvCfg(), scene=SceneCfg(num_envs=4)))
    env = make_env(cfg, device="cpu", seed=0)
    obs = env.reset()
    assert torch.equal(obs["policy"], obs["critic"][:, :48])
    assert env.task.events == ()


def test_noise_is_on_the_policys_observations_only() -> None:
    obs = make().reset()
    difference = (obs["policy"] - obs["critic"][:, :48]).abs().amax(dim=0)
    assert (difference[:9] > 0).all()
    assert (difference[12:36] > 0).all()
    assert (difference[9:12] == 0).all()
    assert (difference[36:] == 0).all()
    assert difference[:3].max() <= 0.1
    assert difference[24:36].max() <= 1.5


def test_contract_is_json_with_what_a_robot_needs() -> None:
    contract = json.loads(json.dumps(make().policy_contract()))
    assert contract["joint_stiffness"] == [100.0] * 12
    assert contract["joint_effort_limit"] == [80.0] * 12
    assert contract["joint_saturation_effort"] == [120.0] * 12
    assert contract["joint_velocity_limit"] == [7.5] * 12
    assert contract["actions"]["scale"] == [0.5] * 12
    assert [term["name"] for term in contract["observations"]["policy"]] == [
        "base_lin_vel",
        "base_ang_vel",
        "projected_gravity",
        "velocity_commands",
        "joint_pos",
        "joint_vel",
        "actions",
    ]
    assert contract["quaternion_order"] == "wxyz"
    assert contract["command_names"] == ["base_velocity"]
    assert contract["command_ranges"].keys() == {"lin_vel_x", "lin_vel_y", "ang_vel_z", "heading"}


def test_drives_follow_the_config() -> None:
    cfg = VelocityEnvCfg()
    assert make(drives=replace(cfg.drives, stiffness=60.0)).policy_contract()["joint_stiffness"] == [60.0] * 12


def test_exploring_wildly_breaks_no_simulation() -> None:
    env = make(32)
    generator = torch.Generator().manual_seed(0)
    results = [env.step(torch.randn(32, 12, generator=generator)) for _ in range(100)]
    assert all("Sim/failures" not in result.metrics for result in results)
    assert env.sim.state.actuator_force.abs().max() <= 80.0


def test_standing_commands_are_zero_and_heed_no_heading() -> None:
    cfg = CommandsCfg(rel_standing_envs=1.0)
    low, high = draws.target_bounds(cfg, "cpu")
    targets = draws.draw_targets(100, torch.Generator().manual_seed(0), cfg=cfg, low=low, high=high)
    assert (targets[:, [0, 1, 2, 4]] == 0).all()


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_fraction_of_heading_commands(fraction: float) -> None:
    cfg = CommandsCfg(rel_standing_envs=0.0, rel_heading_envs=fraction)
    low, high = draws.target_bounds(cfg, "cpu")
    targets = draws.draw_targets(100, torch.Generator().manual_seed(0), cfg=cfg, low=low, high=high)
    assert (targets[:, 4] == fraction).all()
    assert targets[:, :3].abs().max() <= 1.0


def test_following_the_command_and_how_are_two_groups_of_rewards() -> None:
    """Without the floor they add up to the reward."""
    env = make(rewards=replace(VelocityEnvCfg().rewards, floor=None))
    result = env.step(torch.ones(4, 12))
    assert env.reward_groups == ("tracking", "style")
    tracking, style = result.reward_groups["tracking"], result.reward_groups["style"]
    torch.testing.assert_close(tracking + style, result.reward)
    assert (tracking > 0).all()
    assert (style < 0).all()
