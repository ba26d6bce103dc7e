"""Isaac Lab's own AnymalD task, in the real Isaac Lab with Newton, on the assets that are written here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf

ROOT = Path(__file__).parents[2]
STAND = Path(__file__).with_name("stand.py")
NET = "Isaac/IsaacLab/ActuatorNets/ANYbotics/anydrive_3_lstm_jit.pt"


def run(*command: str, **environment: str) -> str:
    path = os.pathsep.join([str(ROOT / "source"), str(ROOT / "extension")])
    ran = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by the command that a user gives, which says how Isaac Lab is pointed there."""
    folder = tmp_path_factory.mktemp("isaaclab") / "assets"
    assert run("-m", "fleetfoot_isaaclab.assets", str(folder)) == f"export ISAACSIM_ASSET_ROOT={folder}\n"
    return folder


@pytest.fixture(scope="module")
def stood(assets: Path) -> dict[str, np.ndarray]:
    """What two robots felt, and where they were, after standing for two seconds."""
    saved = assets.parent / "stood.npz"
    run(str(STAND), str(saved), ISAACSIM_ASSET_ROOT=str(assets))
    with np.load(saved) as arrays:
        return dict(arrays)


def test_it_stands(stood: dict[str, np.ndarray]) -> None:
    assert np.isfinite(stood["observed"]).all()
    assert stood["observed"].shape == (100, 2, 48)
    assert not stood["fell"].any()
    height = stood["root_pose"][:, 2]
    assert (height > 0.45).all()
    assert (height < 0.6).all()


def test_the_feet_are_felt_and_carry_the_robot(stood: dict[str, np.ndarray]) -> None:
    upward = dict(zip(stood["felt"], stood["forces"][:, :, 2].T, strict=True))
    feet = np.stack([upward.pop(f"{leg}_FOOT") for leg in ("LF", "LH", "RF", "RH")])
    assert (feet > 50.0).all()
    np.testing.assert_allclose(feet.sum(axis=0), 9.81 * ANYMAL_C.mass, rtol=0.05)
    assert all((abs(force) < 1.0).all() for force in upward.values()), "nothing else touches the ground"


def test_masses_limits_and_armatures_are_those_of_the_description(stood: dict[str, np.ndarray]) -> None:
    masses = dict(zip(stood["bodies"], stood["masses"][0], strict=True))
    assert sum(masses.values()) == pytest.approx(ANYMAL_C.mass, rel=1e-6)
    for link in ANYMAL_C.links:
        with_foot = masses[link.name] + (masses[f"{link.name[:2]}_FOOT"] if "SHANK" in link.name else 0.0)
        assert with_foot == pytest.approx(link.inertial.mass, rel=1e-6)
    for number, name in enumerate(stood["joints"]):
        joint = next(joint for joint in ANYMAL_C.joints if joint.name == name)
        np.testing.assert_allclose(stood["limits"][0, number], joint.range, atol=1e-5)
        assert stood["default"][0, number] == pytest.approx(joint.default)
        assert stood["armature"][0, number] == pytest.approx(joint.drive.armature)


def test_bodies_stand_where_mujoco_has_them(stood: dict[str, np.ndarray]) -> None:
    """The joint angles that Newton came to, and the base's pose, give the same bodies in MuJoCo."""
    model = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, visuals=False))
    data = mujoco.MjData(model)
    for env in range(2):
        x, y, z, qx, qy, qz, qw = stood["root_pose"][env].tolist()
        data.qpos[:7] = (x, y, z, qw, qx, qy, qz)
        for name, angle in zip(stood["joints"], stood["joint_pos"][env], strict=True):
            data.joint(str(name)).qpos = angle
        mujoco.mj_kinematics(model, data)
        for name, position in zip(stood["bodies"], stood["body_pos"][env], strict=True):
            expected = data.geom(name).xpos if "FOOT" in name else data.body(name).xpos
            np.testing.assert_allclose(position, expected, atol=5e-6)  # single precision, metres from the origin


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")  # Isaac Lab loads it so
def test_the_drive_is_its_formula(assets: Path) -> None:
    """100 N m/rad and 5 N m s/rad, loaded and called as Isaac Lab's ActuatorNetLSTM does it."""
    with (assets / NET).open("rb") as file:
        network = torch.jit.load(file, map_location="cpu").eval()
    layers, hidden = len(network.lstm.state_dict()) // 4, network.lstm.state_dict()["weight_hh_l0"].shape[1]
    state = (torch.full((layers, 2, hidden), 0.5), torch.zeros(layers, 2, hidden))
    torques, after = network(torch.tensor([[[0.1, 0.0]], [[0.2, -2.0]]]), state)
    assert torques.reshape(1, 2).tolist() == [[pytest.approx(10.0), pytest.approx(30.0)]]
    assert all(torch.equal(was, now) for was, now in zip(state, after, strict=True))


@pytest.fixture(scope="module")
def played(made: Callable[..., Any]) -> Iterator[Any]:
    """As it is played in and filmed, with one robot."""
    with made("Isaac-Velocity-Flat-AnymalD", 1, play=True) as env:
        yield env


@pytest.mark.slow
def test_what_is_only_looked_at_is_drawn(played: Any) -> None:
    """The robot touches the ground with other shapes than those that it is seen by: it is orange, on a light ground."""
    red, _, blue = played.render().astype(int).transpose(2, 0, 1)
    assert (red - blue > 80)[160:320, 213:427].sum() > 300
    assert red[-1].mean() > 200


@pytest.mark.slow
def test_its_mirror_images_are_those_that_its_agent_learns_from(played: Any) -> None:
    images = played.mirror_images
    names = played.unwrapped.scene["robot"].joint_names
    others = [[names[index] for index in image.actions.index] for image in images]
    swaps = [{"L": "R", "R": "L"}, {"F": "H", "H": "F"}, {"L": "R", "R": "L", "F": "H", "H": "F"}]
    assert others == [["".join(swap.get(x, x) for x in name[:2]) + name[2:] for name in names] for swap in swaps]
    signs = [[image.actions.sign[names.index(name)] for name in ("LF_HAA", "LF_HFE")] for image in images]
    assert signs == [[-1, 1], [1, -1], [-1, -1]]  # outward and swing
