"""What is drawn into a simulation: arrows for command and motion."""

from __future__ import annotations

import itertools
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

__all__ = ["COMMAND_COLOUR", "MOTION_COLOUR", "add_motion"]

COMMAND_COLOUR: Final = (0.20, 0.85, 0.35)
MOTION_COLOUR: Final = (0.15, 0.50, 1.00)
_METRES_PER_SPEED = 0.5  # length of an arrow for 1 m/s
_TURN_PER_RATE = 1.4  # angle of an arc for 1 rad/s [rad]
_ARC_STEPS = 14


def add_motion(
    scene: mujoco.MjvScene,
    above: NDArray[np.float64],
    yaw: float,
    motion: NDArray[np.float64],
    colour: tuple[float, float, float],
    radius: float,
) -> None:
    """Add an arrow for a planar velocity and an arc for a yaw rate.

    Args:
        scene: What to add to.
        above: Where the arrow starts and the arc is centred, in the world [m], `[3]`.
        yaw: Heading of the robot [rad].
        motion: Forward [m/s], left [m/s], yaw rate [rad/s], `[3]`.
        colour: Red, green, blue, each in [0, 1].
        radius: Of the arc [m]; arcs of different radius can be told apart.
    """
    forward, left, rate = (float(value) for value in motion)
    _add(scene, mujoco.mjtGeom.mjGEOM_SPHERE, 0.018, above, above, colour)
    if np.hypot(forward, left) > 0.05:
        cos, sin = np.cos(yaw), np.sin(yaw)
        along = np.array([cos * forward - sin * left, sin * forward + cos * left, 0.0]) * _METRES_PER_SPEED
        _add(scene, mujoco.mjtGeom.mjGEOM_ARROW, 0.016, above, above + along, colour)
    if abs(rate) > 0.05:
        angles = yaw + np.linspace(0.0, np.clip(rate * _TURN_PER_RATE, -3.0, 3.0), _ARC_STEPS)
        arc = above + radius * np.column_stack([np.cos(angles), np.sin(angles), np.zeros(_ARC_STEPS)])
        for start, end in itertools.pairwise(arc[:-2]):
            _add(scene, mujoco.mjtGeom.mjGEOM_CAPSULE, 0.007, start, end, colour)
        # The head has its own length, so that it stays a head on a short arc.
        tangent = np.array([-np.sin(angles[-3]), np.cos(angles[-3]), 0.0]) * np.sign(rate)
        _add(scene, mujoco.mjtGeom.mjGEOM_ARROW, 0.010, arc[-3], arc[-3] + 0.09 * tangent, colour)


def _add(
    scene: mujoco.MjvScene,
    kind: mujoco.mjtGeom,
    width: float,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    colour: tuple[float, float, float],
) -> None:
    if scene.ngeom >= scene.maxgeom:
        return
    geom = scene.geoms[scene.ngeom]
    rgba = np.array([*colour, 1.0], dtype=np.float32)
    mujoco.mjv_initGeom(geom, kind, np.full(3, width), start, np.eye(3).ravel(), rgba)
    if kind != mujoco.mjtGeom.mjGEOM_SPHERE:
        mujoco.mjv_connector(geom, kind, width, start, end)
    geom.emission = 0.45  # readable in the robot's shadow as well
    geom.castshadow = 0
    scene.ngeom += 1
