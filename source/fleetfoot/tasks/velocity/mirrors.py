"""The mirror images of a quadruped: left for right, front for hind, and both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fleetfoot.core.symmetry import SignedPermutation
from fleetfoot.robots.description import RobotDescription
from fleetfoot.tasks.velocity.config import HeightScanCfg

__all__ = ["mirrors"]

_LEFT_RIGHT: Mapping[str, str] = {"LF": "RF", "RF": "LF", "LH": "RH", "RH": "LH"}
_FRONT_HIND: Mapping[str, str] = {"LF": "LH", "LH": "LF", "RF": "RH", "RH": "RF"}


def mirrors(
    robot: RobotDescription, legs: Sequence[str], scan: HeightScanCfg | None = None
) -> dict[str, dict[str, SignedPermutation]]:
    """What each mirror image does to the terms of the velocity task, and to the actions.

    Args:
        robot: Its joints are named `<leg>_<joint>`, and turn about axes of the base.
        legs: Order of the legs in the terms that have one number each.
        scan: The height scan, if there is one.
    """
    left_right = _mirror(robot, legs, _LEFT_RIGHT, axis=1)
    front_hind = _mirror(robot, legs, _FRONT_HIND, axis=0)
    if scan is not None:
        left_right["height_scan"] = _mirrored_grid(scan, axis=1)
        front_hind["height_scan"] = _mirrored_grid(scan, axis=0)
    both = {name: left_right[name].after(front_hind[name]) for name in left_right}
    return {"left_right": left_right, "front_hind": front_hind, "both": both}


def _mirror(
    robot: RobotDescription, legs: Sequence[str], partner: Mapping[str, str], *, axis: int
) -> dict[str, SignedPermutation]:
    """The mirror image in the plane across a base axis (0 is x, 1 is y).

    Positions turn their sign along that axis. Rotations (angular velocity, joint angles) keep it about that axis and
    turn it about the two others.
    """
    along = [-1.0 if i == axis else 1.0 for i in range(3)]
    about = [1.0 if i == axis else -1.0 for i in range(3)]
    names = robot.joint_names
    joints = SignedPermutation(
        index=tuple(names.index(partner[leg] + "_" + joint) for leg, joint in (name.split("_") for name in names)),
        sign=tuple(sum(abs(a) * s for a, s in zip(joint.axis, about, strict=True)) for joint in robot.joints),
    )
    feet = SignedPermutation(tuple(legs.index(partner[leg]) for leg in legs), (1.0,) * len(legs))
    vector, rotation = (SignedPermutation((0, 1, 2), tuple(signs)) for signs in (along, about))
    return {
        "base_lin_vel": vector,
        "base_ang_vel": rotation,
        "projected_gravity": vector,
        "velocity_commands": SignedPermutation((0, 1, 2), (along[0], along[1], about[2])),
        "joint_pos": joints,
        "joint_vel": joints,
        "actions": joints,
        "feet_load": feet,
        "feet_air_time": feet,
        "torques": joints,
        "friction": SignedPermutation.identity(1),
        "base_mass_offset": SignedPermutation.identity(1),
    }


def _mirrored_grid(scan: HeightScanCfg, *, axis: int) -> SignedPermutation:
    """Heights are what they are, at the points on the other side."""
    points = np.arange(scan.num_points).reshape(scan.shape[::-1])  # across the robot, along it
    mirrored = points[::-1] if axis == 1 else points[:, ::-1]
    return SignedPermutation(tuple(mirrored.ravel().tolist()), (1.0,) * scan.num_points)
