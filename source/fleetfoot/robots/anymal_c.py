"""ANYmal C with its payload: a quadruped of 52 kg with twelve drives.

Masses, inertias and geometry are the facts of ANYbotics' description, fixed parts lumped into the link they are on.
The legs are made exact mirror images of the left front one (the real ones differ by fractions of a millimetre), so that
symmetric training sees a symmetric robot. The drives have the limits of Isaac Lab's ANYdrive 3, and about the armature
that the code of Bjelonic et al. 2025 (arXiv:2509.06342) gives for the drives of an ANYmal.
"""

from __future__ import annotations

from typing import Final

from fleetfoot.robots import anymal_c_look as look
from fleetfoot.robots.description import (
    Box,
    Capsule,
    ContactSensor,
    Drive,
    Geom,
    Inertial,
    Joint,
    Link,
    RobotDescription,
    Sphere,
    Vec3,
)

__all__ = ["ANYMAL_C"]

_LEGS: Final = {"LF": (1.0, 1.0), "LH": (-1.0, 1.0), "RF": (1.0, -1.0), "RH": (-1.0, -1.0)}
"""Leg to its side: +1 at the front and -1 at the back, +1 at the left and -1 at the right. In Isaac Lab's order."""
_DRIVE: Final = Drive(
    stiffness=100.0, damping=5.0, effort_limit=80.0, saturation_effort=120.0, velocity_limit=7.5, armature=0.1
)
_FOOT: Final = (0.08795, 0.01305, -0.31547)
_TURN: Final = 9.42  # three half turns: thighs and shanks can swing all the way round


def _mirror(point: Vec3, front: float, left: float) -> Vec3:
    return (front * point[0], left * point[1], point[2])


def _inertial(mass: float, com: Vec3, inertia: tuple[float, ...], front: float, left: float) -> Inertial:
    """The mirror image of a part of the left front leg."""
    xx, yy, zz, xy, xz, yz = inertia
    mirrored = (xx, yy, zz, front * left * xy, front * xz, left * yz)
    return Inertial(mass=mass, com=_mirror(com, front, left), inertia=mirrored)


def _base() -> Link:
    return Link(
        name="base",
        inertial=Inertial(
            mass=26.373,
            com=(-0.0178, -0.0002, 0.0085),
            inertia=(0.2167, 1.7852, 1.8337, 0.0092, 0.0589, -0.0002),
        ),
        collision=(Geom(name="base", shape=Box(center=(0.0, 0.0, 0.0), half_size=(0.525, 0.14, 0.09))),),
        visual=look.base(),
    )


def _leg_links(leg: str, front: float, left: float) -> tuple[Link, ...]:
    def at(x: float, y: float, z: float) -> Vec3:
        return _mirror((x, y, z), front, left)

    hip_inertia = (0.0032955, 0.0049383, 0.005833, -4.45e-05, -9.79e-05, 0.0001358)
    thigh_inertia = (0.0299041, 0.0295638, 0.0048611, -4.43e-05, -9.44e-05, 0.0041425)
    shank_inertia = (0.0088104, 0.0101612, 0.0015498, 5.36e-05, 0.0018194, -2.27e-05)
    thigh = Capsule(start=at(0.0, 0.03, -0.04), end=at(0.0, 0.03, -0.285), radius=0.05)
    shank = Capsule(start=at(0.06, 0.013, -0.03), end=at(0.086, 0.013, -0.27), radius=0.02)
    return (
        Link(
            name=f"{leg}_HIP",
            inertial=_inertial(2.781, (0.056661, 0.017394, -0.000461), hip_inertia, front, left),
            visual=look.hip(front, left),
        ),
        Link(
            name=f"{leg}_THIGH",
            inertial=_inertial(3.071, (-4.6e-05, 0.030815, -0.245696), thigh_inertia, front, left),
            collision=(Geom(name=f"{leg}_THIGH", shape=thigh),),
            visual=look.thigh(front, left),
        ),
        Link(
            name=f"{leg}_SHANK",
            inertial=_inertial(0.58842, (0.061253, 0.005462, -0.08066), shank_inertia, front, left),
            collision=(
                Geom(name=f"{leg}_SHANK", shape=shank),
                Geom(name=f"{leg}_FOOT", shape=Sphere(center=at(*_FOOT), radius=0.03)),
            ),
            visual=look.shank(front, left),
        ),
    )


def _haa(leg: str, front: float, left: float) -> Joint:
    return Joint(
        name=f"{leg}_HAA",
        parent="base",
        child=f"{leg}_HIP",
        offset=_mirror((0.2999, 0.104, 0.0), front, left),
        axis=(1.0, 0.0, 0.0),
        range=(-0.72, 0.49) if left > 0 else (-0.49, 0.72),
        default=0.0,
        drive=_DRIVE,
    )


def _hfe(leg: str, front: float, left: float) -> Joint:
    return Joint(
        name=f"{leg}_HFE",
        parent=f"{leg}_HIP",
        child=f"{leg}_THIGH",
        offset=_mirror((0.0599, 0.083813, 0.0), front, left),
        axis=(0.0, 1.0, 0.0),
        range=(-_TURN, _TURN),
        default=0.4 * front,
        drive=_DRIVE,
    )


def _kfe(leg: str, front: float, left: float) -> Joint:
    return Joint(
        name=f"{leg}_KFE",
        parent=f"{leg}_THIGH",
        child=f"{leg}_SHANK",
        offset=_mirror((0.0, 0.1003, -0.285), front, left),
        axis=(0.0, 1.0, 0.0),
        range=(-_TURN, _TURN),
        default=-0.8 * front,
        drive=_DRIVE,
    )


def _sensors() -> tuple[ContactSensor, ...]:
    return (
        *(ContactSensor(name=f"{leg}_FOOT_contact", geom=f"{leg}_FOOT", kind="force") for leg in _LEGS),
        ContactSensor(name="base_contact", geom="base", kind="found"),
        *(ContactSensor(name=f"{leg}_thigh_contact", geom=f"{leg}_THIGH", kind="found") for leg in _LEGS),
        *(ContactSensor(name=f"{leg}_shank_contact", geom=f"{leg}_SHANK", kind="found") for leg in _LEGS),
    )


ANYMAL_C: Final = RobotDescription(
    name="anymal_c",
    base="base",
    links=(_base(), *(link for leg, side in _LEGS.items() for link in _leg_links(leg, *side))),
    joints=tuple(make(leg, *side) for make in (_haa, _hfe, _kfe) for leg, side in _LEGS.items()),
    contact_sensors=_sensors(),
    materials=look.MATERIALS,
    friction=0.8,
    default_base_height=0.6,
)
