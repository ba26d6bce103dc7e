"""The velocity terms against numbers computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fleetfoot.envs.task import Frame
from fleetfoot.sim.simulator import SimState
from fleetfoot.tasks.velocity import terms
from fleetfoot.tasks.velocity.state import Layout, RobotState, quadratic_forms, rotation_matrix

LEFT_TURN = (math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4))
"""A quarter turn about the vertical."""
ROLL = (math.cos(0.25), math.sin(0.25), 0.0, 0.0)
"""Half a radian about the x axis."""


def state(
    *,
    quat: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0),
    velocity: tuple[float, ...] = (0.0,) * 6,
    command: tuple[float, ...] = (0.0,) * 3,
    contacts: tuple[float, ...] = (0.0,) * 4,
    air_time: tuple[float, float] = (0.0, 0.0),
    joints: tuple[float, float] = (0.0, 0.0),
) -> RobotState:
    """A robot of two joints, two feet and one thigh; contacts are those of both feet, the thigh and the base."""
    layout = Layout(
        joint_qpos=torch.tensor([8, 7]),  # the simulator has them the other way round
        joint_qvel=torch.tensor([7, 6]),
        found=torch.tensor([0, 1, 2, 3]),
        foot_force_z=torch.tensor([4, 5]),
        default_joint_pos=torch.tensor([0.1, 0.2]),
        joint_limits=torch.tensor([[-1.0, -1.0], [1.0, 1.0]]),
        forms=quadratic_forms(),
    )
    sim = SimState(
        qpos=torch.tensor([[0.0, 0.0, 0.5, *quat, joints[1], joints[0]]]),
        qvel=torch.tensor([[*velocity, 4.0, 3.0]]),
        qacc=torch.tensor([[9.0] * 6 + [2.0, 1.0]]),
        actuator_force=torch.tensor([[3.0, 4.0]]),
        sensordata=torch.tensor([[*contacts, -50.0, -60.0]]),
    )
    frame = Frame(
        sim=sim,
        actions=torch.tensor([[1.0, 2.0]]),
        previous_actions=torch.tensor([[0.0, 4.0]]),
        command=torch.tensor([command]),
        memory={"air_time": torch.tensor([air_time])},
        constants={},
        lesson={},
    )
    return RobotState.of(frame, layout)


def number(value: Tensor) -> float:
    assert value.shape == (1,)
    return float(value)


def test_rotation_matrix_of_a_quarter_turn() -> None:
    matrix = rotation_matrix(torch.tensor([LEFT_TURN]), quadratic_forms())[0]
    torch.testing.assert_close(matrix, torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))


def test_rotation_matrices_turn_without_stretching() -> None:
    quat = torch.nn.functional.normalize(torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    matrix = rotation_matrix(quat, quadratic_forms())
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    w, axis = quat[:, 0], quat[:, 1:]
    probe = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    twice = 2.0 * torch.linalg.cross(axis, probe)  # v' = v + w t + q x t with t = 2 q x v
    expected = probe + w[:, None] * twice + torch.linalg.cross(axis, twice)
    torch.testing.assert_close((matrix @ probe[:, :, None])[:, :, 0], expected, atol=1e-5, rtol=1e-5)


def test_velocity_is_seen_from_the_base() -> None:
    seen = state(quat=LEFT_TURN, velocity=(0.0, 2.0, 0.3, 0.1, 0.2, 0.4))
    torch.testing.assert_close(seen.root_lin_vel_b, torch.tensor([[2.0, 0.0, 0.3]]))
    torch.testing.assert_close(seen.root_ang_vel_b, torch.tensor([[0.1, 0.2, 0.4]]))
    assert number(seen.heading) == pytest.approx(math.pi / 2)


def test_joints_are_in_the_robots_order_and_relative_to_the_default_pose() -> None:
    seen = state(joints=(0.5, 0.7))
    torch.testing.assert_close(seen.joint_pos, torch.tensor([[0.4, 0.5]]))
    torch.testing.assert_close(seen.joint_vel, torch.tensor([[3.0, 4.0]]))


def test_tracking_is_one_at_the_command_and_falls_to_one_over_e() -> None:
    exact = state(velocity=(0.3, -0.2, 0.0, 0.0, 0.0, 0.5), command=(0.3, -0.2, 0.5))
    assert number(terms.track_lin_vel_xy_exp(exact, std=0.5)) == pytest.approx(1.0)
    assert number(terms.track_ang_vel_z_exp(exact, std=0.5)) == pytest.approx(1.0)
    off = state(command=(0.3, 0.4, 0.5))
    assert number(terms.track_lin_vel_xy_exp(off, std=0.5)) == pytest.approx(math.exp(-1.0))
    assert number(terms.track_ang_vel_z_exp(off, std=0.5)) == pytest.approx(math.exp(-1.0))
    assert number(terms.lin_vel_error(off)) == pytest.approx(0.5)
    assert number(terms.ang_vel_error(off)) == pytest.approx(0.5)


def test_errors_stay_those_of_the_command_that_was_seen() -> None:
    seen = state(command=(0.3, 0.4, 0.5)).under(torch.zeros(1, 3))
    assert number(terms.lin_vel_error(seen)) == pytest.approx(0.5)
    assert seen.command.tolist() == [[0.0, 0.0, 0.0]]


def test_squared_penalties() -> None:
    moving = state(quat=ROLL, velocity=(0.0, 0.0, 0.0, 0.3, 0.4, 9.0))
    assert number(terms.ang_vel_xy_l2(moving)) == pytest.approx(0.25)
    assert number(terms.dof_torques_l2(moving)) == 25.0
    assert number(terms.dof_acc_l2(moving)) == 5.0
    assert number(terms.action_rate_l2(moving)) == 5.0
    assert number(terms.flat_orientation_l2(moving)) == pytest.approx(math.sin(0.5) ** 2)
    assert number(terms.lin_vel_z_l2(state(velocity=(0.0, 0.0, 0.3, 0.0, 0.0, 0.0)))) == pytest.approx(0.09)


def test_joints_beyond_their_limits() -> None:
    assert number(terms.dof_pos_limits(state(joints=(1.25, -1.5)))) == pytest.approx(0.75)
    assert number(terms.dof_pos_limits(state(joints=(0.9, -0.9)))) == 0.0


def test_a_landing_foot_is_paid_for_its_time_in_the_air() -> None:
    landing = state(contacts=(1.0, 0.0, 0.0, 0.0), air_time=(0.38, 0.38), command=(1.0, 0.0, 0.0))
    reward = terms.feet_air_time(landing, threshold=0.25, step_dt=0.02)
    assert number(reward) == pytest.approx(0.15)
    torch.testing.assert_close(terms.air_time(landing, step_dt=0.02), torch.tensor([[0.0, 0.4]]))


def test_a_standing_foot_and_a_standing_robot_are_not_paid() -> None:
    standing = state(contacts=(1.0, 1.0, 0.0, 0.0), command=(1.0, 0.0, 0.0))
    assert number(terms.feet_air_time(standing, threshold=0.25, step_dt=0.02)) == 0.0
    idle = state(contacts=(1.0, 1.0, 0.0, 0.0), air_time=(0.4, 0.4), command=(0.05, 0.0, 1.0))
    assert number(terms.feet_air_time(idle, threshold=0.25, step_dt=0.02)) == 0.0


def test_contacts_are_told_apart() -> None:
    touching = state(contacts=(0.0, 2.0, 1.0, 0.0))
    assert touching.foot_contact.tolist() == [[False, True]]
    assert number(terms.undesired_contacts(touching)) == 1.0
    assert not touching.base_contact
    assert state(contacts=(0.0, 0.0, 0.0, 1.0)).base_contact
    assert touching.foot_load.tolist() == [[50.0, 60.0]]


def test_tilt() -> None:
    assert terms.is_tilted(state(quat=ROLL), limit=0.49)
    assert not terms.is_tilted(state(quat=ROLL), limit=0.51)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((0.1, 0.2, 0.9, math.pi / 2, 1.0), 0.0),  # looks there already
        ((0.1, 0.2, 0.9, math.pi / 2 + 0.4, 1.0), 0.2),
        ((0.1, 0.2, 0.9, -math.pi / 2 - 0.4, 1.0), 1.0),  # the short way is to the left, and limited
        ((0.1, 0.2, 0.9, 0.0, 0.0), 0.9),  # no heading
    ],
)
def test_a_heading_becomes_a_yaw_rate(target: tuple[float, ...], expected: float) -> None:
    command = terms.resolve_command(
        state(quat=LEFT_TURN), torch.tensor([target]), stiffness=0.5, yaw_rate_range=(-1.0, 1.0)
    )
    torch.testing.assert_close(command, torch.tensor([[0.1, 0.2, expected]]), atol=1e-6, rtol=0)
