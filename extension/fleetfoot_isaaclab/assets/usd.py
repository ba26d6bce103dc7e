"""USD, the format of Isaac Lab, from a robot description: the robot that `fleetfoot.robots.mjcf` writes for MuJoCo.

One articulation with a free base. Its rigid bodies are flat siblings below the root, for that is where the contact
sensors of Isaac Lab's tasks look for them; `bodies` says which they are. Everything is in metres, kilograms and
seconds, but USD has angles in degrees: limits, gains and speeds of joints are per degree.

A hinge of USD turns about an axis of its own frame: the frame of each is turned so that its x axis is the hinge's.

The torque-speed line of a drive has no place in UsdPhysics. What stands there are gains, largest torque, armature and
the speed at which there is no torque left, the last two in the words of both Newton and PhysX; the line itself is
what an actuator model of Isaac Lab adds (`DCMotorCfg`, or `drive_net`).
"""

from __future__ import annotations

from math import degrees, radians
from pathlib import Path

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

from fleetfoot.errors import ConfigError
from fleetfoot.robots.description import Geom, Inertial, Joint, Link, Material, RobotDescription, Vec3
from fleetfoot_isaaclab.assets.bodies import Weld, rigid_bodies
from fleetfoot_isaaclab.assets.shapes import add_shape, place

__all__ = ["to_stage", "write_usd"]


def write_usd(robot: RobotDescription, path: Path) -> None:
    """Writes the robot as a file of USD, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stage = to_stage(robot)  # its layer lives as long as it does
    stage.GetRootLayer().Export(str(path))


def to_stage(robot: RobotDescription) -> Usd.Stage:
    """The robot as a stage in memory, with all joints at zero and the base at the origin."""
    bodies, welds = rigid_bodies(robot)
    _refuse_names(robot, bodies)
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    root = _add_root(stage, robot)
    looks = {material.name: _add_look(stage, f"{root}/Looks/{material.name}", material) for material in robot.materials}
    grip = _add_grip(stage, f"{root}/Looks/grip", robot.friction)
    origins = _origins(robot, welds)
    for body in bodies:
        _add_body(stage, f"{root}/{body.name}", body, origins[body.name])
        _add_collision(stage, f"{root}/{body.name}", body, grip)
        _add_visual(stage, f"{root}/{body.name}", body, looks)
    UsdGeom.Scope.Define(stage, f"{root}/joints")
    for joint in robot.joints:
        _add_joint(stage, root, joint)
    for weld in welds:
        fixed = UsdPhysics.FixedJoint.Define(stage, f"{root}/joints/{weld.child}_fixed")
        _connect(fixed, root, weld)
    return stage


def _refuse_names(robot: RobotDescription, bodies: tuple[Link, ...]) -> None:
    names = [robot.name, *(material.name for material in robot.materials), *robot.joint_names]
    for name in (*names, *(body.name for body in bodies)):
        if not Sdf.Path.IsValidIdentifier(name):
            raise ConfigError(
                robot.name,
                got=repr(name),
                expected="names of letters, digits and underscores that begin with no digit, as USD has them",
                fix="Rename it.",
            )


def _add_root(stage: Usd.Stage, robot: RobotDescription) -> str:
    path = f"/{robot.name}"
    root = place(UsdGeom.Xform.Define(stage, path), (0.0, 0.0, 0.0)).GetPrim()
    stage.SetDefaultPrim(root)
    UsdPhysics.ArticulationRootAPI.Apply(root)
    # As in MuJoCo, the robot collides with the ground only; a task of Isaac Lab that wants more sets it.
    root.AddAppliedSchema("PhysxArticulationAPI")
    root.CreateAttribute("physxArticulation:enabledSelfCollisions", Sdf.ValueTypeNames.Bool, custom=False).Set(False)
    root.AddAppliedSchema("NewtonArticulationRootAPI")
    root.CreateAttribute("newton:selfCollisionEnabled", Sdf.ValueTypeNames.Bool, custom=False).Set(False)
    return path


def _add_look(stage: Usd.Stage, path: str, material: Material) -> UsdShade.Material:
    look = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, f"{path}/Shader")
    shader.CreateIdAttr("UsdPreviewSurface")
    colour, kinds = Gf.Vec3f(*material.colour), Sdf.ValueTypeNames
    shader.CreateInput("diffuseColor", kinds.Color3f).Set(colour)
    shader.CreateInput("useSpecularWorkflow", kinds.Int).Set(1)
    shader.CreateInput("specularColor", kinds.Color3f).Set(Gf.Vec3f(0.08 * material.specular))  # 4 % for plastic: 0.5
    shader.CreateInput("roughness", kinds.Float).Set(1.0 - material.shininess)
    shader.CreateInput("emissiveColor", kinds.Color3f).Set(material.emission * colour)
    look.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    return look


def _add_grip(stage: Usd.Stage, path: str, friction: float) -> UsdShade.Material:
    """What all that collides is made of."""
    grip = UsdShade.Material.Define(stage, path)
    physics = UsdPhysics.MaterialAPI.Apply(grip.GetPrim())
    physics.CreateStaticFrictionAttr(friction)
    physics.CreateDynamicFrictionAttr(friction)
    physics.CreateRestitutionAttr(0.0)
    return grip


def _origins(robot: RobotDescription, welds: tuple[Weld, ...]) -> dict[str, Vec3]:
    """Where each body is in the base, with all joints at zero [m]: axes are equal there, so offsets add up."""
    origins: dict[str, Vec3] = {robot.base: (0.0, 0.0, 0.0)}
    pending = [robot.base]
    while pending:
        parent = pending.pop()
        hung = [*robot.children(parent), *(weld for weld in welds if weld.parent == parent)]
        for held in hung:
            x, y, z = (a + b for a, b in zip(origins[parent], held.offset, strict=True))
            origins[held.child] = (x, y, z)
        pending += [held.child for held in hung]
    return origins


def _add_body(stage: Usd.Stage, path: str, body: Link, origin: Vec3) -> None:
    prim = place(UsdGeom.Xform.Define(stage, path), origin).GetPrim()
    UsdPhysics.RigidBodyAPI.Apply(prim)
    moments, axes = _principal(body.inertial)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(body.inertial.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*body.inertial.com))
    mass.CreateDiagonalInertiaAttr(moments)
    mass.CreatePrincipalAxesAttr(axes)


def _principal(inertial: Inertial) -> tuple[Gf.Vec3f, Gf.Quatf]:
    """Principal moments of inertia [kg m^2], and the rotation of the axes that they are about."""
    xx, yy, zz, xy, xz, yz = inertial.inertia
    moments, axes = np.linalg.eigh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    axes[:, 2] *= np.sign(np.linalg.det(axes))  # a rotation, and no mirror image
    rows = Gf.Matrix3d(*axes.T.ravel().tolist())  # USD multiplies vectors from the left
    return Gf.Vec3f(*moments.tolist()), Gf.Quatf(rows.ExtractRotation().GetQuat())


def _add_collision(stage: Usd.Stage, path: str, body: Link, grip: UsdShade.Material) -> None:
    for geom in body.collision:
        prim = _add_geom(stage, f"{path}/collisions/{geom.name}", geom).GetPrim()
        UsdGeom.Imageable(prim).CreatePurposeAttr(UsdGeom.Tokens.guide)
        UsdPhysics.CollisionAPI.Apply(prim)
        if prim.IsA(UsdGeom.Mesh):
            UsdPhysics.MeshCollisionAPI.Apply(prim).CreateApproximationAttr(UsdPhysics.Tokens.convexHull)
        binding = UsdShade.MaterialBindingAPI.Apply(prim)
        binding.Bind(grip, UsdShade.Tokens.weakerThanDescendants, "physics")


def _add_visual(stage: Usd.Stage, path: str, body: Link, looks: dict[str, UsdShade.Material]) -> None:
    for number, geom in enumerate(body.visual):
        prim = _add_geom(stage, f"{path}/visuals/{geom.material}_{number}", geom).GetPrim()
        UsdShade.MaterialBindingAPI.Apply(prim).Bind(looks[geom.material])


def _add_geom(stage: Usd.Stage, path: str, geom: Geom) -> UsdGeom.Gprim:
    UsdGeom.Xform.Define(stage, path.rsplit("/", 1)[0])
    return add_shape(stage, path, geom.shape)


def _add_joint(stage: Usd.Stage, root: str, joint: Joint) -> None:
    hinge = UsdPhysics.RevoluteJoint.Define(stage, f"{root}/joints/{joint.name}")
    _connect(hinge, root, joint)
    turned = Gf.Quatf(Gf.Rotation(Gf.Vec3d(1.0, 0.0, 0.0), Gf.Vec3d(*joint.axis)).GetQuat())
    hinge.CreateAxisAttr(UsdPhysics.Tokens.x)
    hinge.CreateLocalRot0Attr(turned)
    hinge.CreateLocalRot1Attr(turned)
    lower, upper = joint.range
    hinge.CreateLowerLimitAttr(degrees(lower))
    hinge.CreateUpperLimitAttr(degrees(upper))
    _add_drive(hinge.GetPrim(), joint)


def _connect(connection: UsdPhysics.Joint, root: str, held: Joint | Weld) -> None:
    connection.CreateBody0Rel().SetTargets([f"{root}/{held.parent}"])
    connection.CreateBody1Rel().SetTargets([f"{root}/{held.child}"])
    connection.CreateLocalPos0Attr(Gf.Vec3f(*held.offset))
    connection.CreateLocalPos1Attr(Gf.Vec3f(0.0))
    connection.CreateLocalRot0Attr(Gf.Quatf(1.0))
    connection.CreateLocalRot1Attr(Gf.Quatf(1.0))


def _add_drive(hinge: Usd.Prim, joint: Joint) -> None:
    drive = UsdPhysics.DriveAPI.Apply(hinge, UsdPhysics.Tokens.angular)
    drive.CreateTypeAttr(UsdPhysics.Tokens.force)
    drive.CreateTargetPositionAttr(degrees(joint.default))
    drive.CreateStiffnessAttr(radians(joint.drive.stiffness))  # per degree
    drive.CreateDampingAttr(radians(joint.drive.damping))
    drive.CreateMaxForceAttr(joint.drive.effort_limit)
    named = {
        "NewtonJointAPI": ("newton:armature", "newton:velocityLimit"),
        "PhysxJointAPI": ("physxJoint:armature", "physxJoint:maxJointVelocity"),
    }
    for schema, (armature, velocity_limit) in named.items():
        hinge.AddAppliedSchema(schema)
        hinge.CreateAttribute(armature, Sdf.ValueTypeNames.Float, custom=False).Set(joint.drive.armature)
        fastest = hinge.CreateAttribute(velocity_limit, Sdf.ValueTypeNames.Float, custom=False)
        fastest.Set(degrees(joint.drive.velocity_limit))
