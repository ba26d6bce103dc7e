"""`mujoco.batch` behind the simulator interface: threaded C physics on CPUs, float32 tensors in and out.

Axes: `N` environments, `n` some of them, `Q` positions, `V` velocities, `U` actuators, `S` sensor values.

MuJoCo's rows are float64 and written in place, so every tensor is converted once per control step and not per reader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import mujoco
import numpy as np
import torch
from torch import Tensor

from fleetfoot.core.device import exact_device
from fleetfoot.core.threads import usable_cpus
from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.sim.simulator import SimState

try:
    from mujoco.batch import Batch, SimulationError
except ModuleNotFoundError as error:
    if error.name != "mujoco.batch":
        raise
    raise ConfigError(
        "the embedded simulator",
        got=f"MuJoCo {mujoco.__version__}, the one that is installed here",
        expected="3.17 or newer, which has mujoco.batch",
        fix="Isaac Lab and mjlab pin older ones: run this in an environment of its own, as ./isaaclab.sh makes one.",
    ) from None

__all__ = ["MujocoBatch"]

_BAD = slice(int(mujoco.mjtWarning.mjWARN_BADQPOS), int(mujoco.mjtWarning.mjWARN_BADCTRL) + 1)
"""Warnings about positions, velocities, accelerations and controls: after them MuJoCo has silently reset the
simulation, or dropped its controls."""

_MAX_SPEED = 1e3
"""Joint and base speeds beyond this [m/s, rad/s] are no physics of a robot; their squares would drown every reward."""


@final
class MujocoBatch:
    """`N` MuJoCo simulations of one model, on a pool of threads.

    Args:
        model: The compiled model; shared by all environments except for the fields given to `write_fields`.
        num_envs: `N`.
        num_threads: Threads that step; None for one per CPU it may use. Results are the same bits at any number.
        device: Where the tensors live. The physics stays on the CPU.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        *,
        num_threads: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model
        self.num_envs = num_envs
        self.device = exact_device(device)
        batch = Batch(model, num_envs, num_threads or usable_cpus())
        self._batch: Batch | None = batch
        names = ("qpos", "qvel", "qacc", "actuator_force", "sensordata")
        self._live = {name: _view(batch.bind(name)) for name in names}
        self.state = SimState(**{name: self._buffer(live) for name, live in self._live.items()})
        self._rows = torch.from_numpy(batch.state)
        self._ctrl = _view(batch.bind("ctrl"))
        self._qpos, self._qvel, self._time = (batch.bind(name) for name in ("qpos", "qvel", "time"))
        self._bad = batch.warning[:, _BAD, 1]
        self._start = self._rows[0].clone()
        self._start[1:] = 0.0  # time, applied forces, controls, warm start: a placed environment has no past
        self._fields: dict[str, np.ndarray] = {}

    def step(self, ctrl: Tensor, num_substeps: int) -> Tensor | None:
        """See `Simulator.step`. Non-finite controls count as divergence, and never reach the physics."""
        batch = self.batch
        self._ctrl.copy_(ctrl)
        failed = self._reject_controls()
        try:
            batch.step(nstep=num_substeps)
        except SimulationError as error:
            failed[error.ids] = True
        for name, live in self._live.items():
            getattr(self.state, name).copy_(live)
        return self._diverged(failed)

    def write_state(self, ids: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """See `Simulator.write_state`."""
        rows = ids.numpy(force=True)
        batch = self.batch
        batch.state[rows] = self._start.numpy()
        self._qpos[rows] = qpos.numpy(force=True)
        self._qvel[rows] = qvel.numpy(force=True)
        batch.warning[rows] = 0
        self.state.qpos[ids] = qpos
        self.state.qvel[ids] = qvel

    def add_velocity(self, ids: Tensor, delta: Tensor) -> None:
        """See `Simulator.add_velocity`."""
        self._qvel[ids.numpy(force=True), : delta.shape[1]] += delta.numpy(force=True)

    def write_fields(self, fields: Mapping[str, Tensor]) -> None:
        """See `Simulator.write_fields`."""
        batch = self.batch
        for name, values in fields.items():
            live = batch.expand(name)
            if live.shape != tuple(values.shape):
                raise ContractError(f"write_fields({name!r})", got=tuple(values.shape), expected=f"shape {live.shape}")
            live[...] = values.numpy(force=True)
            self._fields[name] = live
        if not fields.keys().isdisjoint(mujoco.MjModel._setconst_inputs):
            batch.set_const()

    def sensor_columns(self, name: str) -> slice:
        """See `Simulator.sensor_columns`."""
        index = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_SENSOR, name)
        if index < 0:
            known = [self.model.sensor(i).name for i in range(self.model.nsensor)]
            raise ConfigError("sensor", got=repr(name), expected=f"one of the model's sensors: {', '.join(known)}")
        start = int(self.model.sensor_adr[index])
        return slice(start, start + int(self.model.sensor_dim[index]))

    def snapshot(self, index: int) -> dict[str, Any]:
        """See `Simulator.snapshot`."""
        return {
            "qpos": self._qpos[index].copy(),
            "qvel": self._qvel[index].copy(),
            "time": np.array(self._time[index]),
        }

    def state_dict(self) -> dict[str, Any]:
        """See `Simulator.state_dict`."""
        fields = {name: torch.from_numpy(field.copy()) for name, field in self._fields.items()}
        return {"rows": self._rows.clone(), "fields": fields}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Simulator.load_state_dict`."""
        self.write_fields(state["fields"])
        self._rows.copy_(state["rows"])
        self.batch.warning[...] = 0
        self.state.qpos.copy_(self._live["qpos"])
        self.state.qvel.copy_(self._live["qvel"])

    def close(self) -> None:
        """See `Simulator.close`."""
        self._batch = None
        self._live.clear()

    @property
    def batch(self) -> Batch:
        """MuJoCo's own object, for what the interface does not offer.

        Raises:
            ContractError: The simulator is closed.
        """
        if self._batch is None:
            raise ContractError("MujocoBatch", got="a call after close()", expected="an open simulator")
        return self._batch

    def _buffer(self, live: Tensor) -> Tensor:
        return live.to(self.device, torch.float32, copy=True)

    def _reject_controls(self) -> np.ndarray:
        """Zero the controls of rows that are not finite; returns which, bool `[N]`."""
        if math.isfinite(self._ctrl.sum()):
            return np.zeros(self.num_envs, dtype=bool)
        bad = ~torch.isfinite(self._ctrl).all(dim=1)
        self._ctrl[bad] = 0.0
        return bad.numpy()

    def _diverged(self, failed: np.ndarray) -> Tensor | None:
        """Indices of the environments that failed in this step, or None; one reduction each when all is well."""
        if self._bad.any():
            failed |= self._bad.any(axis=1)
        slowest, fastest = torch.aminmax(self.state.qvel)
        if not (float(slowest) >= -_MAX_SPEED and float(fastest) <= _MAX_SPEED):  # true for NaN as well
            within = (self.state.qvel.abs() <= _MAX_SPEED).all(dim=1)
            failed |= ~within.numpy(force=True)
        return torch.from_numpy(failed.nonzero()[0]).to(self.device) if failed.any() else None


def _view(array: np.ndarray) -> Tensor:
    """A tensor over MuJoCo's memory; outputs are marked read-only there, which torch has no notion of."""
    alias = array.view()
    alias.flags.writeable = True
    return torch.from_numpy(alias)
