"""MJCF, the format of MuJoCo, from a robot description.

The options are the fastest sound ones for a legged robot with few contacts: Newton with pyramidal cones converges in
one to three iterations here, `implicitfast` keeps the drives' damping stable at 5 ms, and warm starts and islands cost
more than they save. The dense Jacobian also keeps clear of MuJoCo 4.0.0's wrong Hessian for sparse ones.

The robot collides with the ground only: its shapes have `contype` 0 and the ground `conaffinity` 0. Their friction
has priority over the ground's, so changing `geom_friction` of the robot is all that randomising friction takes.

A drive is MuJoCo's `dcmotor`, which follows the formula of `Drive` in every substep, limits of torque and speed
included, and has no state of its own. With a motor constant of 1 a volt is a rad/s: the controller's voltage ends at
the velocity limit, and the resistance makes that worth the saturation effort when the joint stands.

`implicitfast` knows the slope of the drive's torque, be it the damping or the torque-speed line (MuJoCo 3.17 takes the
damping for both), but not where one gives way to the other. A joint that full torque carries past the velocity limit
within a substep is braked as hard in the next, and rattles about the limit instead of keeping to it. None does that has
an inertia of `timestep * saturation_effort / velocity_limit`, armature included: 0.08 kg m^2 for ANYmal's at 5 ms.

As with the real drive, the velocity limit is where torque ends, and no stop: an impact can turn a joint faster, and the
drive then brakes it.

MuJoCo orders `qpos` depth first (leg by leg), while actuators, and so `ctrl` and `actuator_force`, are in the order of
`RobotDescription.joint_names`: go through `jnt_qposadr` of a joint's name.
"""

from __future__ import annotations

from typing import assert_never
from xml.etree import ElementTree as ET

from fleetfoot.robots.description import (
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    Geom,
    Hull,
    Joint,
    Link,
    RobotDescription,
    Shape,
    Sphere,
)
from fleetfoot.robots.terrain import HeightField

__all__ = ["to_mjcf"]

_VISUAL_GROUP = "2"  # drawn by default
_COLLISION_GROUP = "3"  # not drawn by default
_CONTACT_TIME_S = 0.02  # in which a contact gives way: MuJoCo's default
# A height field is made of prisms. A foot that sinks deep into one is pushed out of its sides, against the next one,
# and is stuck; and the deeper it is the more prisms it touches. The stiffest contact that steps of 5 ms can have halves
# that, and makes stepping a tenth faster.
_ROUGH_CONTACT_TIME_S = 0.01
_SURROUNDINGS = 200.0  # how far the flat ground around a height field goes [m]
_THICKNESS = 1.0  # of ground below its lowest point [m]: what got a little into it is pushed out upwards


def to_mjcf(
    robot: RobotDescription, *, terrain: HeightField | None = None, timestep: float = 0.005, visuals: bool = True
) -> str:
    """The robot on its terrain as MJCF text.

    Args:
        robot: What to build.
        terrain: The ground; None for a plane.
        timestep: Duration of a physics substep [s].
        visuals: False leaves out what is only looked at. States, forces and sensors are the same either way; stepping
            is some percent faster without.
    """
    root = ET.Element("mujoco", model=robot.name)
    ET.SubElement(root, "compiler", angle="radian", autolimits="true")
    _add_options(root, timestep)
    _add_appearance(root)
    _add_defaults(root, robot, contact_time=_CONTACT_TIME_S if terrain is None else _ROUGH_CONTACT_TIME_S)
    asset = ET.SubElement(root, "asset")
    _add_scene_assets(asset)
    if terrain is not None:
        _add_height_field(asset, terrain)
    meshes = _add_robot_assets(asset, robot) if visuals else {}
    world = _add_world(root, robot, terrain, meshes)
    if terrain is not None and visuals:
        _add_backdrop(world, terrain)
    _add_actuators(root, robot)
    _add_sensors(root, robot)
    _add_default_key(root, robot)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _text(*values: float) -> str:
    return " ".join(f"{value:.7g}" for value in values)


def _add_options(root: ET.Element, timestep: float) -> None:
    option = ET.SubElement(
        root,
        "option",
        timestep=_text(timestep),
        solver="Newton",
        cone="pyramidal",
        integrator="implicitfast",
        jacobian="dense",
    )
    ET.SubElement(option, "flag", warmstart="disable", island="disable")


def _add_appearance(root: ET.Element) -> None:
    visual = ET.SubElement(root, "visual")
    ET.SubElement(visual, "global", offwidth="1920", offheight="1080", fovy="40")
    ET.SubElement(visual, "quality", shadowsize="2048", offsamples="4")
    ET.SubElement(visual, "headlight", ambient="0.34 0.35 0.37", diffuse="0.22 0.22 0.22", specular="0.1 0.1 0.1")
    ET.SubElement(visual, "map", znear="0.02", zfar="60", haze="0.3", shadowscale="0.25")
    ET.SubElement(visual, "rgba", haze="0.70 0.76 0.83 1")
    # The extent is the unit of the clipping planes above: set, so that they do not move with the robot's looks.
    ET.SubElement(root, "statistic", extent="1.5", center="0 0 0.4")


def _add_defaults(root: ET.Element, robot: RobotDescription, *, contact_time: float) -> None:
    defaults = ET.SubElement(root, "default")
    collision = ET.SubElement(defaults, "default", {"class": "collision"})
    ET.SubElement(
        collision,
        "geom",
        contype="0",
        conaffinity="1",
        condim="3",
        priority="1",
        friction=_text(robot.friction, 0.005, 0.0001),
        solref=_text(contact_time, 1.0),
        group=_COLLISION_GROUP,
        rgba="0.2 0.5 0.9 0.5",
    )
    visual = ET.SubElement(defaults, "default", {"class": "visual"})
    ET.SubElement(visual, "geom", contype="0", conaffinity="0", group=_VISUAL_GROUP)


def _add_scene_assets(asset: ET.Element) -> None:
    ET.SubElement(
        asset,
        "texture",
        type="skybox",
        builtin="gradient",
        rgb1="0.36 0.55 0.78",
        rgb2="0.86 0.90 0.94",
        width="256",
        height="1536",
    )
    ET.SubElement(
        asset,
        "texture",
        name="floor",
        type="2d",
        builtin="checker",
        rgb1="0.50 0.525 0.56",
        rgb2="0.455 0.48 0.515",
        mark="edge",
        markrgb="0.72 0.75 0.79",
        width="512",
        height="512",
    )
    # One texture is a metre, edged by a fine line: speed can be read off the floor. A reflection would be a second
    # pass over the scene.
    ET.SubElement(asset, "material", name="floor", texture="floor", texuniform="true", texrepeat="1 1", reflectance="0")


def _add_robot_assets(asset: ET.Element, robot: RobotDescription) -> dict[Hull, str]:
    """Materials, and one mesh for every hull that differs; returns the meshes' names."""
    for material in robot.materials:
        ET.SubElement(
            asset,
            "material",
            name=material.name,
            rgba=_text(*material.colour, 1.0),
            specular=_text(material.specular),
            shininess=_text(material.shininess),
            emission=_text(material.emission),
        )
    meshes: dict[Hull, str] = {}
    for link in robot.links:
        for geom in link.visual:
            if isinstance(geom.shape, Hull) and geom.shape not in meshes:
                meshes[geom.shape] = f"shell_{len(meshes)}"
    for hull, name in meshes.items():
        points = " ".join(f"{round(value, 5):g}" for point in hull.points for value in point)
        ET.SubElement(asset, "mesh", name=name, vertex=points)
    return meshes


def _add_world(
    root: ET.Element, robot: RobotDescription, terrain: HeightField | None, meshes: dict[Hull, str]
) -> ET.Element:
    world = ET.SubElement(root, "worldbody")
    if terrain is None:
        _add_ground(world, name="floor", type="plane", size="0 0 0.05")
    else:
        _add_rough_ground(world, terrain)
    base = ET.SubElement(world, "body", name=robot.base, pos=_text(0.0, 0.0, robot.default_base_height))
    ET.SubElement(base, "freejoint", name="root")
    _add_view(base)
    _fill_body(base, robot, robot.link(robot.base), meshes)
    return world


def _add_ground(world: ET.Element, **shape: str) -> None:
    ET.SubElement(world, "geom", shape, material="floor", contype="1", conaffinity="0", condim="3")


def _add_rough_ground(world: ET.Element, terrain: HeightField) -> None:
    """The height field, and four slabs around it: nobody falls off its edge, which costs 3 % of the steps."""
    _add_ground(world, name="terrain", type="hfield", hfield="terrain", pos=_text(0.0, 0.0, terrain.lowest))
    x, y = (0.5 * extent for extent in terrain.size)
    far = x + _SURROUNDINGS  # the slabs along x reach over the corners
    for name, centre, half in (
        ("front", (x + 0.5 * _SURROUNDINGS, 0.0), (0.5 * _SURROUNDINGS, y)),
        ("back", (-x - 0.5 * _SURROUNDINGS, 0.0), (0.5 * _SURROUNDINGS, y)),
        ("left", (0.0, y + 0.5 * _SURROUNDINGS), (far, 0.5 * _SURROUNDINGS)),
        ("right", (0.0, -y - 0.5 * _SURROUNDINGS), (far, 0.5 * _SURROUNDINGS)),
    ):
        _add_ground(world, name=name, type="box", pos=_text(*centre, -_THICKNESS), size=_text(*half, _THICKNESS))


def _add_backdrop(world: ET.Element, terrain: HeightField) -> None:
    """A plane below it all, to be seen where a film leaves out distant parts of the height field."""
    pos = _text(0.0, 0.0, terrain.lowest - 0.01)
    ET.SubElement(world, "geom", {"class": "visual", "type": "plane", "size": "0 0 1", "pos": pos, "material": "floor"})


def _add_height_field(asset: ET.Element, terrain: HeightField) -> None:
    rows, columns = terrain.units.shape
    x, y = terrain.size
    height = max(terrain.highest - terrain.lowest, terrain.unit)  # MuJoCo wants one, also where all is flat
    # MuJoCo scales whatever numbers these are to its size; they begin at the far end of y.
    elevation = " ".join(map(str, terrain.units[::-1].ravel().tolist()))
    ET.SubElement(
        asset,
        "hfield",
        name="terrain",
        nrow=str(rows),
        ncol=str(columns),
        size=_text(0.5 * x, 0.5 * y, height, _THICKNESS),
        elevation=elevation,
    )


def _add_view(base: ET.Element) -> None:
    """Lights and a camera that go along with the robot, but do not turn or tilt with it."""
    ET.SubElement(
        base,
        "light",
        name="sun",
        mode="trackcom",
        type="spot",
        pos="1.3 -1.7 4.2",
        dir="-0.29 0.38 -1",
        cutoff="75",
        exponent="0",
        diffuse="0.72 0.70 0.66",
        specular="0.35 0.35 0.35",
        castshadow="true",
    )
    ET.SubElement(
        base,
        "light",
        name="fill",
        mode="trackcom",
        type="directional",
        pos="-1.5 2 2",
        dir="0.5 -0.7 -0.6",
        diffuse="0.16 0.18 0.22",
        specular="0 0 0",
        castshadow="false",
    )
    ET.SubElement(
        base,
        "camera",
        name="track",
        mode="trackcom",
        pos="1.5 -1.92 0.74",
        xyaxes="0.788 0.616 0 -0.194 0.249 0.949",
        fovy="38",
    )


def _fill_body(body: ET.Element, robot: RobotDescription, link: Link, meshes: dict[Hull, str]) -> None:
    inertial = link.inertial
    ET.SubElement(
        body,
        "inertial",
        mass=_text(inertial.mass),
        pos=_text(*inertial.com),
        fullinertia=_text(*inertial.inertia),
    )
    for geom in link.collision:
        ET.SubElement(body, "geom", {"class": "collision", "name": geom.name, **_shape(geom.shape, meshes)})
    for geom in link.visual if meshes else ():
        ET.SubElement(body, "geom", {"class": "visual", **_visual(geom, meshes)})
    for joint in robot.children(link.name):
        child = ET.SubElement(body, "body", name=joint.child, pos=_text(*joint.offset))
        _add_joint(child, joint)
        _fill_body(child, robot, robot.link(joint.child), meshes)


def _add_joint(body: ET.Element, joint: Joint) -> None:
    ET.SubElement(
        body,
        "joint",
        name=joint.name,
        axis=_text(*joint.axis),
        range=_text(*joint.range),
        armature=_text(joint.drive.armature),
    )


def _visual(geom: Geom, meshes: dict[Hull, str]) -> dict[str, str]:
    return {"material": geom.material, **_shape(geom.shape, meshes)}


def _shape(shape: Shape, meshes: dict[Hull, str]) -> dict[str, str]:
    match shape:
        case Box():
            return {"type": "box", "pos": _text(*shape.center), "size": _text(*shape.half_size)}
        case Sphere():
            return {"type": "sphere", "pos": _text(*shape.center), "size": _text(shape.radius)}
        case Ellipsoid():
            return {"type": "ellipsoid", "pos": _text(*shape.center), "size": _text(*shape.semi_axes)}
        case Capsule():
            return {"type": "capsule", "fromto": _text(*shape.start, *shape.end), "size": _text(shape.radius)}
        case Cylinder():
            return {"type": "cylinder", "fromto": _text(*shape.start, *shape.end), "size": _text(shape.radius)}
        case Hull():
            return {"type": "mesh", "mesh": meshes[shape]}
        case _:
            assert_never(shape)


def _add_actuators(root: ET.Element, robot: RobotDescription) -> None:
    actuators = ET.SubElement(root, "actuator")
    for joint in robot.joints:
        drive = joint.drive
        ET.SubElement(
            actuators,
            "dcmotor",
            name=joint.name,
            joint=joint.name,
            input="pos",
            motorconst="1",
            resistance=_text(drive.velocity_limit / drive.saturation_effort),
            saturation=_text(drive.effort_limit, 0, 0),  # torque; no limits to current and to its change
            controller=_text(drive.stiffness, 0, drive.damping, 0, 0, drive.velocity_limit),  # the last: its voltage
        )


def _add_sensors(root: ET.Element, robot: RobotDescription) -> None:
    sensors = ET.SubElement(root, "sensor")
    for sensor in robot.contact_sensors:
        data = {"force": {"data": "found force", "reduce": "netforce"}, "found": {"data": "found"}}[sensor.kind]
        ET.SubElement(sensors, "contact", {"name": sensor.name, "geom1": sensor.geom, "num": "1", **data})


def _add_default_key(root: ET.Element, robot: RobotDescription) -> None:
    """The default pose in the air, with targets that hold it."""
    pose = [0.0, 0.0, robot.default_base_height, 1.0, 0.0, 0.0, 0.0]
    pending = [robot.base]
    while pending:  # depth first, as MuJoCo orders its joints
        link = pending.pop()
        pose += [joint.default for joint in robot.joints if joint.child == link]
        pending += [joint.child for joint in reversed(robot.children(link))]
    keys = ET.SubElement(root, "keyframe")
    ET.SubElement(keys, "key", name="default", qpos=_text(*pose), ctrl=_text(*robot.default_joint_pos))
