"""What an environment needs of a physics engine: batched float32 tensors in and out.

Axes: `N` environments, `n` some of them, `Q` positions, `V` velocities, `U` actuators, `S` sensor values; `C` channels,
`H` rows and `W` columns of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor

__all__ = ["Camera", "SimState", "Simulator"]


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class SimState:
    """What physics says about some environments.

    Positions and velocities are those of now. What is derived from forces belongs to the last physics step: computing
    it for now would cost a forward pass, and torques and contacts that acted are what rewards ask about.
    """

    qpos: Tensor
    """Generalised positions, `[n, Q]` [m, quaternion wxyz, rad]."""
    qvel: Tensor
    """Generalised velocities, `[n, V]` [m/s in the world frame, rad/s in the body frame, rad/s]."""
    qacc: Tensor
    """Generalised accelerations in the last physics step, `[n, V]`."""
    actuator_force: Tensor
    """Force or torque of each actuator in the last physics step, `[n, U]` [N or Nm]."""
    sensordata: Tensor
    """Sensor values of the last physics step, `[n, S]`."""

    @staticmethod
    def before_first_step(qpos: Tensor, qvel: Tensor, *, num_actuators: int, num_sensors: int) -> SimState:
        """The state of environments that were just placed: nothing has acted on them yet.

        Args:
            qpos: `[n, Q]`.
            qvel: `[n, V]`.
            num_actuators: `U`.
            num_sensors: `S`.
        """
        return SimState(
            qpos=qpos,
            qvel=qvel,
            qacc=torch.zeros_like(qvel),
            actuator_force=qpos.new_zeros(len(qpos), num_actuators),
            sensordata=qpos.new_zeros(len(qpos), num_sensors),
        )


class Simulator(Protocol):
    """`N` copies of one robot's physics, stepped at once."""

    num_envs: int
    device: torch.device
    state: SimState
    """The state `[N, …]`, in buffers that the next `step` overwrites."""

    def step(self, ctrl: Tensor, num_substeps: int) -> Tensor | None:
        """Hold the controls for some physics steps, then refresh `state`.

        Args:
            ctrl: Control of each actuator, float `[N, U]`.
            num_substeps: Physics steps to take.

        Returns:
            Indices of the environments whose physics diverged, int64 `[n]`, or None if none did. They must be
            written anew before the next step; what `state` says of them means nothing.
        """
        ...

    def write_state(self, ids: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Place environments, forgetting everything that was applied to them.

        Args:
            ids: Which environments, int64 `[n]`.
            qpos: `[n, Q]`.
            qvel: `[n, V]`.
        """
        ...

    def add_velocity(self, ids: Tensor, delta: Tensor) -> None:
        """Push environments.

        Args:
            ids: Which environments, int64 `[n]`.
            delta: What to add to the leading velocities, `[n, at most V]`.
        """
        ...

    def write_fields(self, fields: Mapping[str, Tensor]) -> None:
        """Give each environment its own values of fields of the model, `[N, …]` each; derived constants follow."""
        ...

    def sensor_columns(self, name: str) -> slice:
        """Where in `sensordata` a sensor's values are."""
        ...

    def snapshot(self, index: int) -> dict[str, Any]:
        """`qpos` `[Q]`, `qvel` `[V]` and `time` [s] of one environment, as numpy arrays of their own."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the next step, as tensors and plain numbers."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, bit for bit."""
        ...

    def close(self) -> None:
        """Release memory and threads; the simulator cannot be stepped afterwards."""
        ...


class Camera(Protocol):
    """Takes pictures of environments, one and the same for all of them."""

    shape: tuple[int, int, int]
    """`(C, H, W)` of a picture."""

    def __call__(self, qpos: Tensor) -> Tensor:
        """What environments look like; the same positions always give the same picture.

        Args:
            qpos: `[n, Q]`.

        Returns:
            Float in [0, 1], the top row first, `[n, C, H, W]`, in memory of its own.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON about the pictures, for whoever has to make such ones on the robot."""
        ...

    def close(self) -> None:
        """Release what it draws with; it takes no pictures afterwards."""
        ...
