"""The terms of velocity tracking: pure functions of `RobotState`.

Axes: `n` environments, `J` joints, `F` feet.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fleetfoot.tasks.velocity.state import RobotState

__all__ = [
    "action_rate_l2",
    "air_time",
    "ang_vel_error",
    "ang_vel_xy_l2",
    "dof_acc_l2",
    "dof_pos_limits",
    "dof_torques_l2",
    "feet_air_time",
    "flat_orientation_l2",
    "is_tilted",
    "lin_vel_error",
    "lin_vel_z_l2",
    "resolve_command",
    "track_ang_vel_z_exp",
    "track_lin_vel_xy_exp",
    "undesired_contacts",
]


def track_lin_vel_xy_exp(state: RobotState, *, std: float) -> Tensor:
    """exp(-|v_xy* - v_xy|^2 / std^2), `[n]`."""
    return torch.exp(state.lin_vel_error_squared * (-1.0 / std**2))


def track_ang_vel_z_exp(state: RobotState, *, std: float) -> Tensor:
    """exp(-(w_z* - w_z)^2 / std^2), `[n]`."""
    return torch.exp(state.yaw_rate_error.square() * (-1.0 / std**2))


def lin_vel_error(state: RobotState) -> Tensor:
    """|v_xy* - v_xy|, `[n]` [m/s]."""
    return state.lin_vel_error_squared.sqrt()


def ang_vel_error(state: RobotState) -> Tensor:
    """|w_z* - w_z|, `[n]` [rad/s]."""
    return state.yaw_rate_error.abs()


def lin_vel_z_l2(state: RobotState) -> Tensor:
    """v_z^2, `[n]` [m^2/s^2]."""
    return state.root_lin_vel_b[:, 2].square()


def ang_vel_xy_l2(state: RobotState) -> Tensor:
    """w_x^2 + w_y^2, `[n]` [rad^2/s^2]."""
    return state.root_ang_vel_b[:, :2].square().sum(dim=1)


def dof_torques_l2(state: RobotState) -> Tensor:
    """Sum of squared torques, `[n]` [N^2 m^2]."""
    return state.torques.square().sum(dim=1)


def dof_acc_l2(state: RobotState) -> Tensor:
    """Sum of squared joint accelerations, `[n]` [rad^2/s^4]."""
    return state.joint_acc.square().sum(dim=1)


def action_rate_l2(state: RobotState) -> Tensor:
    """Sum of squared changes of the actions, `[n]`."""
    return (state.actions - state.previous_actions).square_().sum(dim=1)


def feet_air_time(state: RobotState, *, threshold: float, step_dt: float, min_speed: float = 0.1) -> Tensor:
    """Sum over the feet that land in this step of (time in the air - threshold), `[n]` [s].

    Zero where less than `min_speed` [m/s] is asked for: standing robots shall not step.
    """
    before = state.previous_air_time
    landed = state.foot_contact & (before > 0.0)
    gain = ((before + (step_dt - threshold)) * landed).sum(dim=1)
    return gain * (state.command[:, :2].square().sum(dim=1) > min_speed**2)


def undesired_contacts(state: RobotState) -> Tensor:
    """Number of thighs that touch something, `[n]`."""
    return state.thigh_contact.sum(dim=1, dtype=torch.float32)


def flat_orientation_l2(state: RobotState) -> Tensor:
    """g_x^2 + g_y^2 of the direction of gravity: the squared sine of the tilt, `[n]`."""
    return state.projected_gravity_b[:, :2].square().sum(dim=1)


def dof_pos_limits(state: RobotState) -> Tensor:
    """Sum of how far joints are beyond their limits, `[n]` [rad]."""
    low, high = state.layout.joint_limits
    position = state.absolute_joint_pos
    return ((low - position).clamp(min=0.0) + (position - high).clamp(min=0.0)).sum(dim=1)


def is_tilted(state: RobotState, *, limit: float) -> Tensor:
    """Whether the base leans more than `limit` [rad] to the vertical, bool `[n]`."""
    return state.projected_gravity_b[:, 2] > -math.cos(limit)


def air_time(state: RobotState, *, step_dt: float) -> Tensor:
    """Time that each foot has been in the air, zero in contact, `[n, F]` [s]."""
    return (state.previous_air_time + step_dt) * ~state.foot_contact


def resolve_command(
    state: RobotState, targets: Tensor, *, stiffness: float, yaw_rate_range: tuple[float, float]
) -> Tensor:
    """The commanded velocity: a heading becomes a yaw rate, clip(stiffness * wrap(heading* - heading)).

    Args:
        state: The robots.
        targets: x and y velocity [m/s], yaw rate [rad/s], heading [rad], and whether the heading counts, `[n, 5]`.
        stiffness: Yaw rate per heading error [1/s].
        yaw_rate_range: Lowest and highest yaw rate that a heading asks for [rad/s].

    Returns:
        x, y [m/s], yaw rate [rad/s], `[n, 3]`.
    """
    error = (targets[:, 3] - state.heading).add_(math.pi).remainder_(2.0 * math.pi).sub_(math.pi)
    turn = error.mul_(stiffness).clamp_(*yaw_rate_range)
    yaw_rate = torch.where(targets[:, 4] > 0, turn, targets[:, 2])
    return torch.cat((targets[:, :2], yaw_rate[:, None]), dim=1)
