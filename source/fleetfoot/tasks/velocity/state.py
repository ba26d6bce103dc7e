"""A legged robot's state as the terms see it: computed once per step, and the rare parts only when asked for.

Axes: `n` environments, `J` joints in the robot's order, `F` feet, `T` thighs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from fleetfoot.envs.lazy import lazy
from fleetfoot.envs.task import Frame

__all__ = ["Layout", "RobotState", "rotation_matrix"]

_QUADRATIC_FORMS = (
    # (row, column) of the matrix, then (a, b, factor) for every term factor * q[a] * q[b] of q = (w, x, y, z)
    ((0, 0), (0, 0, 1), (1, 1, 1), (2, 2, -1), (3, 3, -1)),
    ((0, 1), (1, 2, 2), (0, 3, -2)),
    ((0, 2), (1, 3, 2), (0, 2, 2)),
    ((1, 0), (1, 2, 2), (0, 3, 2)),
    ((1, 1), (0, 0, 1), (1, 1, -1), (2, 2, 1), (3, 3, -1)),
    ((1, 2), (2, 3, 2), (0, 1, -2)),
    ((2, 0), (1, 3, 2), (0, 2, -2)),
    ((2, 1), (2, 3, 2), (0, 1, 2)),
    ((2, 2), (0, 0, 1), (1, 1, -1), (2, 2, -1), (3, 3, 1)),
)


def quadratic_forms(device: torch.device | str = "cpu") -> Tensor:
    """What `rotation_matrix` multiplies with: entry `[4 a + b, 3 i + j]` is the factor of `q[a] q[b]` in `R[i, j]`."""
    forms = torch.zeros(16, 9)
    for (row, column), *terms in _QUADRATIC_FORMS:
        for a, b, factor in terms:
            forms[4 * a + b, 3 * row + column] = factor
    return forms.to(device)


def rotation_matrix(quat: Tensor, forms: Tensor) -> Tensor:
    """From the body's frame to the world's: every entry of R is a quadratic form of the unit quaternion.

    One product of all pairs and one matrix product, where the written-out formula is thirty small operations.

    Args:
        quat: Unit quaternions wxyz, `[n, 4]`.
        forms: `quadratic_forms()`.

    Returns:
        `[n, 3, 3]`.
    """
    pairs = quat[:, :, None] * quat[:, None, :]
    return (pairs.view(-1, 16) @ forms).view(-1, 3, 3)


@final
@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a robot's quantities are in the simulator's tensors, and what they are measured against."""

    joint_qpos: Tensor
    """Column in `qpos` of each joint, int64 `[J]`."""
    joint_qvel: Tensor
    """Column in `qvel` of each joint, int64 `[J]`."""
    found: Tensor
    """Column in `sensordata` of the number of contacts of each foot, each thigh and the base, int64 `[F + T + 1]`."""
    foot_force_z: Tensor
    """Column in `sensordata` of the vertical force of each foot on the ground, int64 `[F]`; negative under load."""
    default_joint_pos: Tensor
    """`[J]` [rad]"""
    joint_limits: Tensor
    """Lowest and highest position, `[2, J]` [rad]."""
    forms: Tensor
    """`quadratic_forms()`."""


@final
@dataclass(frozen=True, kw_only=True)
class RobotState:
    """What there is to know of the robots after a step."""

    frame: Frame
    layout: Layout
    command: Tensor
    """Commanded velocity in the base's frame: x, y [m/s], yaw rate [rad/s], `[n, 3]`."""

    @staticmethod
    def of(frame: Frame, layout: Layout) -> RobotState:
        """The view of a frame."""
        return RobotState(frame=frame, layout=layout, command=frame.command)

    def under(self, command: Tensor) -> RobotState:
        """The same state under the next command `[n, 3]`, with all that was computed.

        The errors remain those to the command of the step, which the policy acted on.
        """
        other = object.__new__(RobotState)
        other.__dict__.update(self.__dict__, command=command)
        return other

    @lazy
    def rotation(self) -> Tensor:
        """From the base's frame to the world's, `[n, 3, 3]`."""
        return rotation_matrix(self.frame.sim.qpos[:, 3:7], self.layout.forms)

    @lazy
    def root_lin_vel_b(self) -> Tensor:
        """Velocity of the base in its own frame, R^T v, `[n, 3]` [m/s]."""
        return torch.bmm(self.frame.sim.qvel[:, None, :3], self.rotation).squeeze(1)

    @lazy
    def root_ang_vel_b(self) -> Tensor:
        """Angular velocity of the base in its own frame, `[n, 3]` [rad/s]."""
        return self.frame.sim.qvel[:, 3:6]

    @lazy
    def projected_gravity_b(self) -> Tensor:
        """Direction of gravity in the base's frame, R^T (0, 0, -1), `[n, 3]`."""
        return self.rotation[:, 2].neg()

    @lazy
    def heading(self) -> Tensor:
        """Angle of the base's x axis about the vertical, `[n]` [rad]."""
        return torch.atan2(self.rotation[:, 1, 0], self.rotation[:, 0, 0])

    @lazy
    def joint_pos(self) -> Tensor:
        """Joint positions relative to the default pose, `[n, J]` [rad]."""
        return self.absolute_joint_pos - self.layout.default_joint_pos

    @lazy
    def absolute_joint_pos(self) -> Tensor:
        """Joint positions, `[n, J]` [rad]."""
        return self.frame.sim.qpos.index_select(1, self.layout.joint_qpos)

    @lazy
    def joint_vel(self) -> Tensor:
        """Joint velocities, `[n, J]` [rad/s]."""
        return self.frame.sim.qvel.index_select(1, self.layout.joint_qvel)

    @lazy
    def joint_acc(self) -> Tensor:
        """In the last physics step, `[n, J]` [rad/s^2]."""
        return self.frame.sim.qacc[:, 6:]  # in the simulator's order: only sums over the joints are taken of it

    @property
    def torques(self) -> Tensor:
        """In the last physics step, `[n, J]` [Nm]."""
        return self.frame.sim.actuator_force

    @property
    def actions(self) -> Tensor:
        """Actions of the step, `[n, J]`."""
        return self.frame.actions

    @property
    def previous_actions(self) -> Tensor:
        """Actions of the step before, `[n, J]`."""
        return self.frame.previous_actions

    @lazy
    def contacts(self) -> Tensor:
        """Whether each foot, each thigh and the base touch something, bool `[n, F + T + 1]`."""
        return self.frame.sim.sensordata.index_select(1, self.layout.found) > 0

    @lazy
    def foot_contact(self) -> Tensor:
        """Whether each foot touches something, bool `[n, F]`."""
        return self.contacts[:, : len(self.layout.foot_force_z)]

    @property
    def thigh_contact(self) -> Tensor:
        """Whether each thigh touches something, bool `[n, T]`."""
        return self.contacts[:, len(self.layout.foot_force_z) : -1]

    @property
    def base_contact(self) -> Tensor:
        """Whether the base touches something, bool `[n]`."""
        return self.contacts[:, -1]

    @lazy
    def foot_load(self) -> Tensor:
        """Vertical force that the ground puts on each foot, `[n, F]` [N]."""
        return self.frame.sim.sensordata.index_select(1, self.layout.foot_force_z).neg()

    @property
    def previous_air_time(self) -> Tensor:
        """How long each foot had been in the air after the step before, `[n, F]` [s]."""
        return self.frame.memory["air_time"]

    @lazy
    def lin_vel_error_squared(self) -> Tensor:
        """Squared distance of the horizontal velocity to the command of the step, `[n]` [m^2/s^2]."""
        return (self.frame.command[:, :2] - self.root_lin_vel_b[:, :2]).square_().sum(dim=1)

    @lazy
    def yaw_rate_error(self) -> Tensor:
        """Yaw rate of the step's command less the actual one, `[n]` [rad/s]."""
        return self.frame.command[:, 2] - self.root_ang_vel_b[:, 2]
