"""ANYmal C as MuJoCo sees it, against the facts of the robot."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf

LEGS = ("LF", "LH", "RF", "RH")
ISAAC_ORDER = [f"{leg}_{joint}" for joint in ("HAA", "HFE", "KFE") for leg in LEGS]
DRIVES = [joint.drive for joint in ANYMAL_C.joints]
FEET = ("LF_FOOT", "LH_FOOT", "RF_FOOT", "RH_FOOT")


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C))


@pytest.fixture
def data(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    return data


def test_masses(model: mujoco.MjModel) -> None:
    assert model.body_mass.sum() == pytest.approx(52.135, abs=0.01)
    assert ANYMAL_C.mass == pytest.approx(model.body_mass.sum())
    assert [model.body(name).mass[0] for name in ("base", "RH_HIP", "LH_THIGH", "RF_SHANK")] == pytest.approx(
        [26.373, 2.781, 3.071, 0.58842]
    )


def test_sizes_and_order_of_actions(model: mujoco.MjModel) -> None:
    assert (model.nq, model.nv, model.nu) == (19, 18, 12)
    assert list(ANYMAL_C.joint_names) == ISAAC_ORDER
    assert [model.actuator(i).name for i in range(model.nu)] == ISAAC_ORDER
    assert [model.joint(model.actuator_trnid[i, 0]).name for i in range(model.nu)] == ISAAC_ORDER


def test_default_key_is_the_default_pose(model: mujoco.MjModel) -> None:
    key = model.key("default")
    pose = {model.joint(i).name: key.qpos[model.joint(i).qposadr[0]] for i in range(1, model.njnt)}
    assert [pose[name] for name in ISAAC_ORDER] == pytest.approx(ANYMAL_C.default_joint_pos)
    assert ANYMAL_C.default_joint_pos == (0, 0, 0, 0, 0.4, -0.4, 0.4, -0.4, -0.8, 0.8, -0.8, 0.8)
    assert key.ctrl == pytest.approx(ANYMAL_C.default_joint_pos)
    assert key.qpos[:7] == pytest.approx([0, 0, 0.6, 1, 0, 0, 0])


def test_feet_of_the_default_pose(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    mujoco.mj_forward(model, data)
    assert [data.geom(foot).xpos[2] for foot in FEET] == pytest.approx([0.081] * 4, abs=5e-4)
    x, y, _ = data.geom("LF_FOOT").xpos
    mirrored = [[x, y], [-x, y], [x, -y], [-x, -y]]
    np.testing.assert_allclose([data.geom(foot).xpos[:2] for foot in FEET], mirrored, atol=1e-9)


def test_stands_on_its_feet_alone(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    mujoco.mj_step(model, data, nstep=400)
    assert 0.49 < data.qpos[2] < 0.51
    assert abs(data.qvel).max() < 0.05
    forces = np.array([data.sensor(f"{foot}_contact").data for foot in FEET])
    assert (forces[:, 0] == 1).all()
    assert forces[:, 3].sum() == pytest.approx(-52.135 * 9.81, rel=0.02), "by the foot on the floor: downwards"
    assert data.sensor("base_contact").data == [0]
    assert data.sensor("RH_shank_contact").data == [0]
    assert data.sensor("LF_thigh_contact").data == [0]


def test_base_contact_is_felt(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    data.qpos[2:7] = [0.12, 0, 1, 0, 0]  # on its back
    mujoco.mj_step(model, data, nstep=40)
    assert data.sensor("base_contact").data > 0


def test_limits(model: mujoco.MjModel) -> None:
    assert {drive.effort_limit for drive in DRIVES} == {80.0}
    assert {drive.saturation_effort for drive in DRIVES} == {120.0}
    assert {drive.velocity_limit for drive in DRIVES} == {7.5}
    assert model.joint("LF_HAA").range == pytest.approx([-0.72, 0.49])
    assert model.joint("RH_HAA").range == pytest.approx([-0.49, 0.72])
    assert model.joint("LH_KFE").range == pytest.approx([-9.42, 9.42])
    assert model.jnt_limited[1:].all()


def test_joints_are_heavy_enough_for_their_drives(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """See `fleetfoot.robots.mjcf`: a lighter joint rattles about its speed limit."""
    rng = np.random.default_rng(0)
    lightest = np.full(12, np.inf)
    for _ in range(200):
        data.qpos[7:] = model.key_qpos[0, 7:] + rng.uniform(-2.0, 2.0, 12)
        mujoco.mj_forward(model, data)
        inverse = np.zeros((18, 18))
        mujoco.mj_solveM(model, data, inverse, np.eye(18))
        lightest = np.minimum(lightest, 1 / np.diag(inverse)[6:])  # what a torque about the joint sets in motion
    assert lightest.min() > 0.005 * 120.0 / 7.5


def test_collides_with_the_floor_only(model: mujoco.MjModel) -> None:
    collides = (model.geom_contype | model.geom_conaffinity) > 0
    names = {model.geom(i).name for i in np.flatnonzero(collides)}
    assert names == {"floor", "base"} | {f"{leg}_{part}" for leg in LEGS for part in ("THIGH", "SHANK", "FOOT")}
    hits = (model.geom_contype[:, None] & model.geom_conaffinity[None]) > 0
    floor = model.geom("floor").id
    assert set(np.argwhere(hits)[:, 0]) == {floor}
    assert (model.geom_condim[collides] == 3).all()
    assert set(model.geom_group[collides]) == {0, 3}, "what collides is hidden, except the floor"


def test_friction_is_the_robots_own(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    model.geom_friction[model.geom("floor").id, 0] = 5.0
    mujoco.mj_step(model, data, nstep=100)
    assert data.ncon == 4
    assert [contact.friction[0] for contact in data.contact] == pytest.approx([0.8] * 4)
    model.geom_friction[model.geom("floor").id, 0] = 1.0


def test_options(model: mujoco.MjModel) -> None:
    option = model.opt
    assert option.timestep == 0.005
    assert option.solver == mujoco.mjtSolver.mjSOL_NEWTON
    assert option.cone == mujoco.mjtCone.mjCONE_PYRAMIDAL
    assert option.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert option.jacobian == mujoco.mjtJacobian.mjJAC_DENSE
    disabled = mujoco.mjtDisableBit.mjDSBL_WARMSTART | mujoco.mjtDisableBit.mjDSBL_ISLAND
    assert option.disableflags == disabled


def test_looks_change_no_physics(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    bare = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, visuals=False))
    assert bare.ngeom == 14 < model.ngeom
    other = mujoco.MjData(bare)
    mujoco.mj_resetDataKeyframe(bare, other, 0)
    np.testing.assert_array_equal(bare.body_inertia, model.body_inertia)
    for _ in range(100):
        data.ctrl[:] = other.ctrl[:] = np.sin(10 * data.time) * np.linspace(-0.5, 0.5, 12) + ANYMAL_C.default_joint_pos
        mujoco.mj_step(model, data)
        mujoco.mj_step(bare, other)
    np.testing.assert_array_equal(data.qpos, other.qpos)
    np.testing.assert_array_equal(data.sensordata, other.sensordata)
