"""The robot written as USD is the robot written as MJCF: masses, hinges, limits, drives, and where all bodies are."""

from __future__ import annotations

from dataclasses import replace
from math import degrees

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray
from pxr import Gf, Usd, UsdGeom, UsdPhysics, UsdShade

from fleetfoot.errors import ConfigError
from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.description import Cylinder, Ellipsoid, Geom, Hull, Material, Sphere
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot_isaaclab.assets.usd import to_stage

FEET = ("LF_FOOT", "LH_FOOT", "RF_FOOT", "RH_FOOT")


@pytest.fixture(scope="module")
def stage() -> Usd.Stage:
    return to_stage(ANYMAL_C)


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, visuals=False))


def turn(quaternion: Gf.Quatf) -> NDArray[np.float64]:
    """Rotation matrix of a quaternion, written out: nothing is left to how USD multiplies vectors."""
    w, (x, y, z) = quaternion.GetReal(), quaternion.GetImaginary()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def inertia_about(body: Usd.Prim, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a body contributes to the inertia about a point of its frame [kg m^2]."""
    mass = UsdPhysics.MassAPI(body)
    axes = turn(mass.GetPrincipalAxesAttr().Get())
    r = np.array(mass.GetCenterOfMassAttr().Get()) - point
    own = axes @ np.diag(mass.GetDiagonalInertiaAttr().Get()) @ axes.T
    return own + mass.GetMassAttr().Get() * (r @ r * np.eye(3) - np.outer(r, r))


def joint_frames(stage: Usd.Stage, angles: dict[str, float]) -> dict[str, tuple[NDArray, NDArray]]:
    """Position and axes of every body in the base, from joint to joint: frame 0, turn about x, frame 1 back."""
    frames = {"base": (np.zeros(3), np.eye(3))}
    pending = [UsdPhysics.Joint(prim) for prim in stage.Traverse() if prim.IsA(UsdPhysics.Joint)]
    while pending:
        joint = pending.pop(0)
        (parent,), (child,) = joint.GetBody0Rel().GetTargets(), joint.GetBody1Rel().GetTargets()
        if parent.name not in frames:
            pending.append(joint)
            continue
        c, s = (f(angles.get(joint.GetPrim().GetName(), 0.0)) for f in (np.cos, np.sin))
        position, axes = frames[parent.name]
        position = position + axes @ np.array(joint.GetLocalPos0Attr().Get())
        axes = axes @ turn(joint.GetLocalRot0Attr().Get()) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        axes = axes @ turn(joint.GetLocalRot1Attr().Get()).T
        frames[child.name] = position - axes @ np.array(joint.GetLocalPos1Attr().Get()), axes
    return frames


def test_bodies_are_siblings_below_one_articulation(stage: Usd.Stage) -> None:
    root = stage.GetDefaultPrim()
    bodies = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.RigidBodyAPI)]
    assert root.HasAPI(UsdPhysics.ArticulationRootAPI)
    assert {body.GetParent() for body in bodies} == {root}
    assert {body.GetName() for body in bodies} == {link.name for link in ANYMAL_C.links} | set(FEET)
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0


def test_masses_and_inertias_are_those_of_mujoco(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    """A foot counts with its shank, which it is a part of in MuJoCo."""
    total = 0.0
    for link in ANYMAL_C.links:
        body, own = model.body(link.name), stage.GetPrimAtPath(f"/anymal_c/{link.name}")
        com, masses = body.ipos, [UsdPhysics.MassAPI(own).GetMassAttr().Get()]
        inertia = inertia_about(own, com)
        moment = masses[0] * np.array(UsdPhysics.MassAPI(own).GetCenterOfMassAttr().Get())
        if link.name.endswith("SHANK"):
            foot = stage.GetPrimAtPath(f"/anymal_c/{link.name[:2]}_FOOT")
            fixed = UsdPhysics.Joint(stage.GetPrimAtPath(f"/anymal_c/joints/{foot.GetName()}_fixed"))
            offset = np.array(fixed.GetLocalPos0Attr().Get())
            masses.append(UsdPhysics.MassAPI(foot).GetMassAttr().Get())
            inertia += inertia_about(foot, com - offset)
            moment += masses[1] * offset
        axes = turn(Gf.Quatd(*body.iquat))
        assert sum(masses) == pytest.approx(body.mass[0], rel=1e-6)
        np.testing.assert_allclose(moment / sum(masses), com, atol=1e-6)
        np.testing.assert_allclose(inertia, axes @ np.diag(body.inertia) @ axes.T, atol=1e-6)
        total += sum(masses)
    assert total == pytest.approx(ANYMAL_C.mass, rel=1e-6)


def test_hinges_have_the_limits_and_drives_of_the_description(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    for joint in ANYMAL_C.joints:
        prim = stage.GetPrimAtPath(f"/anymal_c/joints/{joint.name}")
        hinge, drive = UsdPhysics.RevoluteJoint(prim), UsdPhysics.DriveAPI(prim, "angular")
        frame = turn(hinge.GetLocalRot1Attr().Get())
        np.testing.assert_allclose(frame[:, 0], model.joint(joint.name).axis, atol=1e-6)
        limits = np.radians([hinge.GetLowerLimitAttr().Get(), hinge.GetUpperLimitAttr().Get()])
        np.testing.assert_allclose(limits, model.joint(joint.name).range, atol=1e-6)
        assert degrees(drive.GetStiffnessAttr().Get()) == pytest.approx(100.0)
        assert degrees(drive.GetDampingAttr().Get()) == pytest.approx(5.0)
        assert drive.GetMaxForceAttr().Get() == 80.0
        assert drive.GetTargetPositionAttr().Get() == pytest.approx(degrees(joint.default))
        for name, expected in {"armature": 0.1, "velocityLimit": degrees(7.5)}.items():
            assert prim.GetAttribute(f"newton:{name}").Get() == pytest.approx(expected)
        assert prim.GetAttribute("physxJoint:maxJointVelocity").Get() == pytest.approx(degrees(7.5))


def test_bodies_are_where_mujoco_has_them(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    """In random poses: position, attitude, and the feet."""
    generator = np.random.default_rng(7)
    data = mujoco.MjData(model)
    for _ in range(20):
        angles = {joint.name: generator.uniform(*joint.range) for joint in ANYMAL_C.joints}
        for name, angle in angles.items():
            data.joint(name).qpos = angle
        mujoco.mj_kinematics(model, data)
        frames = joint_frames(stage, angles)
        base = data.body("base")
        for link in ANYMAL_C.links:
            position, axes = frames[link.name]
            np.testing.assert_allclose(position, data.body(link.name).xpos - base.xpos, atol=1e-6)
            np.testing.assert_allclose(axes, data.body(link.name).xmat.reshape(3, 3), atol=1e-6)
        for foot in FEET:
            np.testing.assert_allclose(frames[foot][0], data.geom(foot).xpos - base.xpos, atol=1e-6)


def test_prims_are_placed_where_the_joints_hold_them(stage: Usd.Stage) -> None:
    """A body has a transform of its own besides its joint's: the two agree at zero."""
    cache = UsdGeom.XformCache()
    for name, (position, _) in joint_frames(stage, {}).items():
        placed = cache.GetLocalToWorldTransform(stage.GetPrimAtPath(f"/anymal_c/{name}"))
        np.testing.assert_allclose(placed.ExtractTranslation(), position, atol=1e-6)


def test_what_collides_is_as_large_and_as_rough_as_in_mujoco(stage: Usd.Stage, model: mujoco.MjModel) -> None:
    colliders = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.CollisionAPI)]
    assert {prim.GetName() for prim in colliders} == {g.name for link in ANYMAL_C.links for g in link.collision}
    cache, data = UsdGeom.XformCache(), mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    for prim in colliders:
        geom, transform = model.geom(prim.GetName()), cache.GetLocalToWorldTransform(prim)
        centre = data.geom(prim.GetName()).xpos - data.body("base").xpos
        np.testing.assert_allclose(transform.ExtractTranslation(), centre, atol=1e-6)
        if prim.IsA(UsdGeom.Cube):
            np.testing.assert_allclose(np.diag(transform)[:3], geom.size)
        if prim.IsA(UsdGeom.Sphere):
            assert prim.GetAttribute("radius").Get() == pytest.approx(geom.size[0])
        if prim.IsA(UsdGeom.Capsule):
            assert prim.GetAttribute("radius").Get() == pytest.approx(geom.size[0])
            assert prim.GetAttribute("height").Get() == pytest.approx(2 * geom.size[1])
            along = np.abs(np.array(transform.ExtractRotationMatrix())[2])  # USD has vectors as rows
            np.testing.assert_allclose(along, np.abs(data.geom(prim.GetName()).xmat.reshape(3, 3)[:, 2]), atol=1e-6)
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial("physics")
        assert UsdPhysics.MaterialAPI(material).GetDynamicFrictionAttr().Get() == pytest.approx(geom.friction[0])


def test_what_is_seen_has_its_colour(stage: Usd.Stage) -> None:
    for link in ANYMAL_C.links:
        seen = stage.GetPrimAtPath(f"/anymal_c/{link.name}/visuals").GetChildren()
        assert len(seen) == len(link.visual)
        for prim, geom in zip(seen, link.visual, strict=True):
            look, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
            shader, _, _ = look.ComputeSurfaceSource()
            colour = next(m.colour for m in ANYMAL_C.materials if m.name == geom.material)
            np.testing.assert_allclose(shader.GetInput("diffuseColor").Get(), colour, rtol=1e-6)


def volume(mesh: UsdGeom.Mesh) -> float:
    """Of a closed mesh, positive where its faces look outwards [m^3]: a sixth of a determinant for every triangle."""
    points = np.array(mesh.GetPointsAttr().Get(), dtype=np.float64)
    assert set(mesh.GetFaceVertexCountsAttr().Get()) == {3}
    return np.linalg.det(points[np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)]).sum() / 6


@pytest.mark.parametrize(
    ("shape", "expected", "tolerance"),
    [
        # A cube of 2 m with a point in its middle, which is no corner.
        (
            Hull(points=((1.0, 1.0, 1.0), *((x, y, z) for x in (0.0, 2.0) for y in (0.0, 2.0) for z in (0.0, 2.0)))),
            8.0,
            1e-6,
        ),
        (Ellipsoid(center=(1.0, 2.0, 3.0), semi_axes=(0.3, 0.2, 0.1)), 4 / 3 * np.pi * 0.006, 0.03),
    ],
)
def test_meshes_are_closed_and_look_outwards(shape: Hull | Ellipsoid, expected: float, tolerance: float) -> None:
    seen = replace(ANYMAL_C.link("base"), visual=(Geom(shape=shape, material="red"),))
    robot = replace(ANYMAL_C, links=(seen, *ANYMAL_C.links[1:]))
    stage = to_stage(robot)
    (prim,) = stage.GetPrimAtPath("/anymal_c/base/visuals").GetChildren()
    assert volume(UsdGeom.Mesh(prim)) == pytest.approx(expected, rel=tolerance)


def test_a_link_with_one_shape_keeps_it() -> None:
    """Its own sensor feels nothing but that shape: there is nothing to take apart."""
    shanks = [replace(li, collision=li.collision[1:]) if li.name.endswith("SHANK") else li for li in ANYMAL_C.links]
    sensors = tuple(sensor for sensor in ANYMAL_C.contact_sensors if not sensor.name.endswith("shank_contact"))
    stage = to_stage(replace(ANYMAL_C, links=tuple(shanks), contact_sensors=sensors))
    assert not stage.GetPrimAtPath("/anymal_c/LF_FOOT")
    assert stage.GetPrimAtPath("/anymal_c/LF_SHANK/collisions/LF_FOOT")
    mass = UsdPhysics.MassAPI(stage.GetPrimAtPath("/anymal_c/LF_SHANK"))
    assert mass.GetMassAttr().Get() == pytest.approx(0.58842)


@pytest.mark.parametrize(
    ("shape", "centre"),
    [
        (Cylinder(start=(0.1, 0.0, -0.3), end=(0.1, 0.02, -0.3), radius=0.03), (0.1, 0.01, -0.3)),
        (Hull(points=((0.1, 0.0, -0.3), (0.12, 0.0, -0.3), (0.1, 0.02, -0.3), (0.1, 0.0, -0.28))), (0.11, 0.01, -0.29)),
    ],
)
def test_a_foot_of_another_shape_is_a_body_at_its_centre(shape: Cylinder | Hull, centre: tuple[float, ...]) -> None:
    shank = ANYMAL_C.link("LF_SHANK")
    collision = tuple(replace(g, shape=shape) if isinstance(g.shape, Sphere) else g for g in shank.collision)
    changed = replace(shank, collision=collision)
    links = tuple(changed if link.name == "LF_SHANK" else link for link in ANYMAL_C.links)
    stage = to_stage(replace(ANYMAL_C, links=links))
    fixed = UsdPhysics.Joint(stage.GetPrimAtPath("/anymal_c/joints/LF_FOOT_fixed"))
    np.testing.assert_allclose(fixed.GetLocalPos0Attr().Get(), centre, atol=1e-7)


def test_a_name_that_usd_cannot_have_is_refused() -> None:
    materials = (*ANYMAL_C.materials, Material(name="very red", colour=(1.0, 0.0, 0.0)))
    with pytest.raises(ConfigError, match="'very red'"):
        to_stage(replace(ANYMAL_C, materials=materials))


def test_a_foot_that_outweighs_its_shank_is_refused() -> None:
    """A tenth of the mass, a metre away from a shank that is a point almost: no inertia would be left."""
    shank = ANYMAL_C.link("LF_SHANK")
    tiny = replace(shank, inertial=replace(shank.inertial, inertia=(1e-6, 1e-6, 1e-6, 0.0, 0.0, 0.0)))
    links = tuple(tiny if link.name == "LF_SHANK" else link for link in ANYMAL_C.links)
    with pytest.raises(ConfigError, match="links.LF_SHANK.inertial"):
        to_stage(replace(ANYMAL_C, links=links))
