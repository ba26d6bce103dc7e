"""Drives in MuJoCo: what torque they give, and how fast they turn."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf

KNEES = [name for name in ANYMAL_C.joint_names if name.endswith("KFE")]


@pytest.fixture
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, visuals=False))


def start(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    return data


def run(model: mujoco.MjModel, data: mujoco.MjData, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speeds after each step and torques in it, `[steps, joints]`, in the order of the actuators."""
    dofs = model.jnt_dofadr[model.actuator_trnid[:, 0]]
    speeds, torques = [], []
    for _ in range(steps):
        mujoco.mj_step(model, data)
        speeds.append(data.qvel[dofs])
        torques.append(data.actuator_force.copy())
    return np.array(speeds), np.array(torques)


def test_torque_is_what_gains_line_and_limit_leave() -> None:
    """The first joint has a drive of its own, so that nothing is taken from another."""
    drive = replace(
        ANYMAL_C.joints[0].drive,
        stiffness=60.0,
        damping=0.0,
        effort_limit=30.0,
        saturation_effort=50.0,
        velocity_limit=9.0,
    )
    joints = (replace(ANYMAL_C.joints[0], drive=drive), *ANYMAL_C.joints[1:])
    model = mujoco.MjModel.from_xml_string(to_mjcf(replace(ANYMAL_C, joints=joints), visuals=False))
    assert model.na == 0, "a drive has no state"
    stiffness, damping, effort, stall, fastest = (
        np.array([first] + [other] * 11) for first, other in ((60, 100), (0, 5), (30, 80), (50, 120), (9, 7.5))
    )
    data = start(model)
    dofs = model.jnt_dofadr[model.actuator_trnid[:, 0]]
    target = data.ctrl.copy()
    for error in np.linspace(-3.0, 3.0, 13):
        for speed in np.linspace(-15.0, 15.0, 31):
            data.ctrl[:] = target + error
            data.qvel[dofs] = speed
            mujoco.mj_forward(model, data)
            wanted = stiffness * error - damping * speed
            left = np.clip(wanted, -stall * (1 + speed / fastest), stall * (1 - speed / fastest))
            np.testing.assert_allclose(data.actuator_force, np.clip(left, -effort, effort), atol=1e-9)


@pytest.mark.parametrize("name", ANYMAL_C.joint_names)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_no_joint_turns_itself_faster_than_its_drive_can(model: mujoco.MjModel, name: str, sign: float) -> None:
    """In the air and weightless, where nothing holds it back."""
    model.opt.gravity[:] = 0.0
    data = start(model)
    data.qpos[2] = 5.0
    joint = ANYMAL_C.joint_names.index(name)
    data.ctrl[joint] += sign * 8.0
    speeds, torques = run(model, data, 100)
    assert 5.0 < np.abs(speeds[:, joint]).max() < 1.02 * 7.5  # the other joints of the leg swing along
    assert np.abs(torques).max() == 80.0


def test_a_joint_approaches_its_speed_limit_and_keeps_to_it(model: mujoco.MjModel) -> None:
    model.opt.gravity[:] = 0.0
    data = start(model)
    data.qpos[2] = 5.0
    knee = ANYMAL_C.joint_names.index("LF_KFE")
    data.ctrl[knee] += 8.0
    speed = run(model, data, 60)[0][:, knee]
    assert (np.diff(speed[:20]) > 0).all()
    np.testing.assert_allclose(speed[20:], 7.5, atol=0.05)


def test_loaded_joints_keep_to_limits_as_well(model: mujoco.MjModel) -> None:
    """The knees push the standing robot, with 30 kg on its back, up as fast as they can."""
    model.body("base").mass[:] += 30.0
    data = start(model)
    mujoco.mj_step(model, data, nstep=200)
    knees = [ANYMAL_C.joint_names.index(name) for name in KNEES]
    data.ctrl[knees] = 0.0  # stretched
    speeds, torques = run(model, data, 60)
    assert 1.0 < np.abs(speeds).max() < 7.5
    assert np.abs(torques).max() <= 80.0


def test_what_pushes_a_joint_past_its_speed_limit_is_braked(model: mujoco.MjModel) -> None:
    model.opt.gravity[:] = 0.0
    data = start(model)
    data.qpos[2] = 5.0
    knee = ANYMAL_C.joint_names.index("LF_KFE")
    dof = model.jnt_dofadr[model.actuator_trnid[knee, 0]]
    data.qvel[dof] = 12.0
    data.ctrl[knee] += 8.0  # further on
    speeds, torques = run(model, data, 20)
    assert torques[0, knee] == pytest.approx(-72.0), "120 (1 - 12 / 7.5)"
    assert (np.diff(speeds[:, knee]) < 0).all()
    assert speeds[-1, knee] == pytest.approx(7.5, abs=0.1)
