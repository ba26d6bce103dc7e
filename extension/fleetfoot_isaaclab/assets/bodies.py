"""The rigid bodies that a robot is in Isaac Lab: its links, and every foot apart from the shank it is on.

A contact sensor of Isaac Lab feels whole bodies, one of ours a shape. So a shape whose force is to be felt becomes a
body of its own, named after the shape and fixed to its link, unless the link has no other shape. It takes a part of
the link's mass along, a ball of its own size, and the link keeps what is left: the two together have the mass, the
centre of mass and the inertia of the link in the description, so the robot moves just the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from fleetfoot.errors import ConfigError
from fleetfoot.robots.description import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    Geom,
    Hull,
    Inertial,
    Link,
    RobotDescription,
    Shape,
    Sphere,
    Vec3,
)

__all__ = ["Weld", "rigid_bodies"]

_SHARE: Final = 0.1  # of a link's mass that a shape of its own body takes along: enough for any solver's numbers


@dataclass(frozen=True, kw_only=True)
class Weld:
    """A body that is fixed to another, with equal axes."""

    parent: str
    child: str
    offset: Vec3
    """Origin of the child in the parent [m]."""


def rigid_bodies(robot: RobotDescription) -> tuple[tuple[Link, ...], tuple[Weld, ...]]:
    """All bodies, each after the link it was a part of, and what fixes those that are no links in the description."""
    felt = {sensor.geom for sensor in robot.contact_sensors if sensor.kind == "force"}
    links: list[Link] = []
    welds: list[Weld] = []
    for link in robot.links:
        apart = [geom for geom in link.collision if geom.name in felt] if len(link.collision) > 1 else []
        rest, parts = link, []
        for geom in apart:
            rest, part, offset = _taken_off(rest, geom)
            parts.append(part)
            welds.append(Weld(parent=link.name, child=part.name, offset=offset))
        links += [rest, *parts]
    _refuse_equal_names(robot, links)
    return tuple(links), tuple(welds)


def _refuse_equal_names(robot: RobotDescription, links: list[Link]) -> None:
    names = [link.name for link in links]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"{robot.name}.contact_sensors",
                got=f"a shape {name!r} that is felt, and a link of that name",
                expected="names that differ, for the shape becomes a body of its own",
                fix="Rename the shape.",
            )


def _taken_off(link: Link, geom: Geom) -> tuple[Link, Link, Vec3]:
    """What is left of the link, the body that the shape becomes, and where that is in the link."""
    centre, radius = _ball(geom.shape)
    mass = _SHARE * link.inertial.mass
    ball = 0.4 * mass * radius**2  # a homogeneous ball
    part = Inertial(mass=mass, com=(0.0, 0.0, 0.0), inertia=(ball, ball, ball, 0.0, 0.0, 0.0))
    left = _less(link.inertial, replace(part, com=centre))
    if not _is_physical(left):
        raise ConfigError(
            f"links.{link.name}.inertial",
            got=f"an inertia of {link.inertial.inertia} kg m^2",
            expected=f"one from which {mass:g} kg at {centre} can be taken off, for {geom.name!r}",
        )
    rest = replace(link, inertial=left, collision=tuple(other for other in link.collision if other is not geom))
    moved = replace(geom, shape=_moved(geom.shape, centre))
    return rest, Link(name=geom.name, inertial=part, collision=(moved,)), centre


def _less(whole: Inertial, part: Inertial) -> Inertial:
    """What is left of a body, both given about the same origin: masses, first moments and second moments subtract."""
    mass = whole.mass - part.mass
    com = (whole.mass * np.array(whole.com) - part.mass * np.array(part.com)) / mass
    about_origin = _about_origin(whole) - _about_origin(part)
    inertia = about_origin - _of_point(mass, com)
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = inertia.tolist()
    x, y, z = com.tolist()
    return Inertial(mass=mass, com=(x, y, z), inertia=(xx, yy, zz, xy, xz, yz))


def _about_origin(inertial: Inertial) -> NDArray[np.float64]:
    xx, yy, zz, xy, xz, yz = inertial.inertia
    own = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return own + _of_point(inertial.mass, np.array(inertial.com))


def _of_point(mass: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """The parallel axis theorem, `m (|r|^2 1 - r r^T)`: inertia of a point about the origin [kg m^2]."""
    return mass * (at @ at * np.eye(3) - np.outer(at, at))


def _is_physical(inertial: Inertial) -> bool:
    """Whether there is a body with such principal moments: none is above the sum of the others."""
    own = _about_origin(replace(inertial, com=(0.0, 0.0, 0.0)))
    low, middle, high = np.linalg.eigvalsh(own)
    return bool(low > 0 and high <= low + middle)


def _ball(shape: Shape) -> tuple[Vec3, float]:
    """Centre of a shape, and radius of a ball that fits into it [m]."""
    match shape:
        case Box():
            return shape.center, min(shape.half_size)
        case Sphere():
            return shape.center, shape.radius
        case Ellipsoid():
            return shape.center, min(shape.semi_axes)
        case Capsule() | Cylinder():
            return _vec(0.5 * (np.array(shape.start) + shape.end)), shape.radius
        case Hull():
            low, high = np.min(shape.points, axis=0), np.max(shape.points, axis=0)
            return _vec(0.5 * (low + high)), float(0.5 * (high - low).min())
        case _:
            assert_never(shape)


def _moved(shape: Shape, origin: Vec3) -> Shape:
    """The shape in a frame that has its origin there, with equal axes."""

    def at(point: Vec3) -> Vec3:
        return _vec(np.subtract(point, origin))

    match shape:
        case Box() | Sphere() | Ellipsoid():
            return replace(shape, center=at(shape.center))
        case Capsule() | Cylinder():
            return replace(shape, start=at(shape.start), end=at(shape.end))
        case Hull():
            return replace(shape, points=tuple(map(at, shape.points)))
        case _:
            assert_never(shape)


def _vec(point: NDArray[np.float64]) -> Vec3:
    x, y, z = point.tolist()
    return (x, y, z)
