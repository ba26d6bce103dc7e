"""A robot as plain data: what MJCF is made from, and USD (`fleetfoot_isaaclab.assets`).

Everything is in SI units. Every link's frame has the axes of the robot's base when all joints are at zero: an offset,
a centre of mass or a shape reads the same in every link: x forward, y to the left, z up.

This module knows neither torch nor a simulator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fleetfoot.errors import ConfigError

__all__ = [
    "Box",
    "Capsule",
    "ContactSensor",
    "Cylinder",
    "Drive",
    "Ellipsoid",
    "Geom",
    "Hull",
    "Inertial",
    "Joint",
    "Link",
    "Material",
    "RobotDescription",
    "Shape",
    "Sphere",
    "Vec3",
]

Vec3: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box whose edges are along the link's axes."""

    center: Vec3
    """[m]"""
    half_size: Vec3
    """Half of each edge [m]."""


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """A ball."""

    center: Vec3
    """[m]"""
    radius: float
    """[m]"""


@dataclass(frozen=True, kw_only=True)
class Ellipsoid:
    """An ellipsoid whose axes are the link's."""

    center: Vec3
    """[m]"""
    semi_axes: Vec3
    """[m]"""


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """A cylinder with a half ball beyond either end."""

    start: Vec3
    """Centre of the first half ball [m]."""
    end: Vec3
    """Centre of the other half ball [m]."""
    radius: float
    """[m]"""


@dataclass(frozen=True, kw_only=True)
class Cylinder:
    """A cylinder with flat ends."""

    start: Vec3
    """Centre of the first end [m]."""
    end: Vec3
    """Centre of the other end [m]."""
    radius: float
    """[m]"""


@dataclass(frozen=True, kw_only=True)
class Hull:
    """The convex hull of points: every shell and cover that is no primitive."""

    points: tuple[Vec3, ...]
    """At least four points that are not in one plane [m]."""


Shape: TypeAlias = Box | Sphere | Ellipsoid | Capsule | Cylinder | Hull


@dataclass(frozen=True, kw_only=True)
class Material:
    """How a surface looks."""

    name: str
    colour: Vec3
    """Red, green, blue, each in [0, 1]."""
    specular: float = 0.3
    """Strength of the highlight, in [0, 1]."""
    shininess: float = 0.4
    """Sharpness of the highlight, in [0, 1]."""
    emission: float = 0.0
    """Light given off, in units of the colour."""


@dataclass(frozen=True, kw_only=True)
class Geom:
    """A shape on a link, to collide with or to look at."""

    shape: Shape
    name: str = ""
    """Required of what collides, since sensors refer to it; free for what is only seen."""
    material: str = ""
    """Name of a material of the robot, for what is seen; what collides is not drawn."""


@dataclass(frozen=True, kw_only=True)
class Inertial:
    """How mass is spread over a link. Shapes never contribute to it."""

    mass: float
    """[kg]"""
    com: Vec3
    """Centre of mass [m]."""
    inertia: tuple[float, float, float, float, float, float]
    """xx, yy, zz, xy, xz, yz about the centre of mass [kg m^2]."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A rigid body."""

    name: str
    inertial: Inertial
    collision: tuple[Geom, ...] = ()
    visual: tuple[Geom, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A DC motor that holds its joint at a target, as far as its torque and its voltage go.

        wanted = stiffness (target - q) - damping w,   w = dq/dt
        left   = clip(wanted, -saturation_effort (1 + w / velocity_limit), saturation_effort (1 - w / velocity_limit))
        torque = clip(left, -effort_limit, effort_limit)

    The faster a joint turns, the less torque is left to drive it on: along the torque-speed line down to none at the
    velocity limit, beyond which the motor brakes. This is Isaac Lab's `DCMotor`, with the names of its config.
    """

    stiffness: float
    """[N m / rad]"""
    damping: float
    """[N m s / rad]"""
    effort_limit: float
    """Largest torque at any speed [N m]."""
    saturation_effort: float
    """Where the torque-speed line is at no speed [N m], the stall torque of the bare motor; at least `effort_limit`."""
    velocity_limit: float
    """Where the torque-speed line is at no torque [rad/s]: as fast as the motor gets on its own."""
    armature: float
    """Rotor inertia seen at the joint [kg m^2]."""

    def __post_init__(self) -> None:
        if not 0 < self.effort_limit <= self.saturation_effort < math.inf:
            raise ConfigError(
                "drive",
                got=f"effort_limit {self.effort_limit}, saturation_effort {self.saturation_effort}",
                expected="0 < effort_limit <= saturation_effort, which is finite",
            )
        if not 0 < self.velocity_limit < math.inf:
            raise ConfigError("drive.velocity_limit", got=self.velocity_limit, expected="above 0, and finite")


@dataclass(frozen=True, kw_only=True)
class Joint:
    """A driven hinge; at zero the frames of both links have equal axes."""

    name: str
    parent: str
    child: str
    offset: Vec3
    """Origin of the child, and of the hinge, in the parent [m]."""
    axis: Vec3
    """Unit vector in the frame of either link."""
    range: tuple[float, float]
    """Lower and upper limit [rad]."""
    default: float
    """Where the drive holds it in the default pose [rad]."""
    drive: Drive


@dataclass(frozen=True, kw_only=True)
class ContactSensor:
    """What a collision shape feels."""

    name: str
    geom: str
    """Name of the collision geom."""
    kind: Literal["force", "found"]
    """`force`: number of contacts, and net force in the world [N] (4 values); `found`: number of contacts (1 value)."""


@dataclass(frozen=True, kw_only=True)
class RobotDescription:
    """A robot with a free base and driven hinges."""

    name: str
    base: str
    """The link that floats."""
    links: tuple[Link, ...]
    joints: tuple[Joint, ...]
    """In the order of actions, targets and joint observations; a simulator's state may be ordered differently."""
    contact_sensors: tuple[ContactSensor, ...]
    materials: tuple[Material, ...]
    friction: float
    """Sliding friction of every collision shape, whatever it touches."""
    default_base_height: float
    """Height of the base's origin at a reset: the default pose, some centimetres above flat ground [m]."""

    def __post_init__(self) -> None:
        links, geoms = [link.name for link in self.links], [g.name for link in self.links for g in link.collision]
        children = [joint.child for joint in self.joints]
        _refuse_duplicates(f"{self.name}.links", links)
        _refuse_duplicates(f"{self.name}.links.collision", geoms)
        _refuse_duplicates(f"{self.name}.joints", self.joint_names)
        _refuse_duplicates(f"{self.name}.joints.child", [self.base, *children])
        _require(f"{self.name}.base", [self.base], links)
        _require(f"{self.name}.joints", [*children, *(joint.parent for joint in self.joints)], links)
        _require(f"{self.name}.contact_sensors", [sensor.geom for sensor in self.contact_sensors], geoms)
        used = [geom.material for link in self.links for geom in link.visual]
        _require(f"{self.name}.links.visual", used, [material.name for material in self.materials])

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints, in the order of actions."""
        return tuple(joint.name for joint in self.joints)

    @property
    def default_joint_pos(self) -> tuple[float, ...]:
        """Targets of the default pose [rad], in the order of `joint_names`."""
        return tuple(joint.default for joint in self.joints)

    @property
    def mass(self) -> float:
        """Of all links together [kg]."""
        return sum(link.inertial.mass for link in self.links)

    def link(self, name: str) -> Link:
        """The link of that name."""
        return next(link for link in self.links if link.name == name)

    def children(self, parent: str) -> tuple[Joint, ...]:
        """The joints that hang on a link, in the order of `joints`."""
        return tuple(joint for joint in self.joints if joint.parent == parent)


def _refuse_duplicates(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            raise ConfigError(where, got=repr(name), expected="names that are set and differ", fix="Rename it.")
        seen.add(name)


def _require(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    allowed = set(known)
    for name in names:
        if name not in allowed:
            raise ConfigError(where, got=repr(name), expected=f"one of {', '.join(sorted(allowed))}")
