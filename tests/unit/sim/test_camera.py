"""A camera before things whose pictures can be worked out by hand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.sim.camera import MujocoCamera
from fleetfoot.sim.config import CameraCfg

# At 10 m the camera sees 2 m from bottom to top: pixels of 0.5 m in a picture of 4 x 4. The front of the box is there,
# 1 m wide and 1 m high, and shines by itself. At 0 it fills the upper left quarter: -1 to 0 m across, 0 to 1 m up.
SCENE = """
<mujoco>
  <visual><headlight active="0"/></visual>
  <asset>
    <texture type="skybox" builtin="flat" rgb1="1 1 1" width="8" height="48"/>
    <material name="shining" emission="1" specular="0" rgba="{rgba}"/>
  </asset>
  <worldbody>
    <camera name="eye" pos="0 -10 0" xyaxes="1 0 0 0 0 1" fovy="11.421186"/>
    <body pos="-0.5 1 0.5">
      <joint type="slide" axis="1 0 0"/>
      <geom type="box" size="0.5 1 0.5" material="shining"/>
    </body>
  </worldbody>
</mujoco>
"""
SMALL = CameraCfg(width=4, height=4)


def make(cfg: CameraCfg = SMALL, rgba: str = "1 1 1 1") -> MujocoCamera:
    return MujocoCamera(SCENE.format(rgba=rgba), "eye", cfg)


@pytest.fixture
def camera() -> Iterator[MujocoCamera]:
    with closing(make()) as camera:
        yield camera


def at(*places: float) -> Tensor:
    """Positions of the box [m], one for each environment."""
    return torch.tensor(places)[:, None]


def test_a_box_in_the_upper_left_quarter(camera: MujocoCamera) -> None:
    bright = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 2 + [[0.0] * 4] * 2)
    torch.testing.assert_close(camera(at(0.0)), bright[None, None], rtol=0, atol=1e-6)
    assert camera.shape == (1, 4, 4)


def test_motions_of_less_than_a_pixel_show(camera: MujocoCamera) -> None:
    pictures = camera(at(0.25, 0.5, 1.0))
    torch.testing.assert_close(pictures[:, 0, 0], torch.tensor([[0.5, 1, 0.5, 0], [0, 1, 1, 0], [0, 0, 1, 1]]))
    assert (pictures[:, 0, 2:] == 0).all()


@pytest.mark.parametrize(
    ("rgba", "grey"), [("1 0 0 1", 0.299), ("0 1 0 1", 0.587), ("0 0 1 1", 0.114), ("1 1 1 1", 1.0)]
)
def test_colours_and_their_brightness(rgba: str, grey: float) -> None:
    with closing(make(rgba=rgba)) as one, closing(make(replace(SMALL, colour="rgb"), rgba)) as three:
        assert three.shape == (3, 4, 4)
        assert three(at(0.0))[0, :, 0, 0].tolist() == [float(number) for number in rgba.split()[:3]]
        assert float(one(at(0.0))[0, 0, 0, 0]) == pytest.approx(grey, abs=1e-6)
        assert float(one(at(0.0)).max()) <= 1.0


def test_more_from_left_to_right_in_a_wider_picture() -> None:
    with closing(make(replace(SMALL, width=8))) as camera:
        assert camera(at(0.0))[0, 0, 0].round(decimals=6).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_the_same_positions_give_the_same_picture_whoever_else_is_there(camera: MujocoCamera) -> None:
    places = at(*torch.linspace(-1, 1, 9).tolist())
    together = camera(places)
    assert torch.equal(together, camera(places))
    assert torch.equal(together, torch.cat([camera(place[None]) for place in places]))
    assert together[1:].ne(together[:-1]).flatten(1).any(dim=1).all(), "and others another one"


def test_pictures_are_nobody_elses_memory(camera: MujocoCamera) -> None:
    first = camera(at(0.0))
    kept = first.clone()
    camera(at(1.0))
    assert torch.equal(first, kept)


def test_cameras_take_turns() -> None:
    with closing(make(replace(SMALL, width=8))) as wide:
        before = wide(at(0.25))
        narrow = make()
        assert narrow(at(0.25)).shape == (1, 1, 4, 4)
        assert torch.equal(wide(at(0.25)), before)
        narrow.close()
        assert torch.equal(wide(at(0.25)), before)


def test_a_camera_that_nobody_closes_leaves_the_others_alone(camera: MujocoCamera) -> None:
    before = camera(at(0.25))
    make()(at(0.0))
    gc.collect()
    assert torch.equal(camera(at(0.25)), before)


def test_a_closed_camera_takes_no_pictures() -> None:
    camera = make()
    camera.close()
    camera.close()
    with pytest.raises(ContractError, match="after close"):
        camera(at(0.0))


def test_a_camera_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"camera: got 'ear'; expected one of the model's cameras: eye"):
        MujocoCamera(SCENE.format(rgba="1 1 1 1"), "ear", SMALL)


def test_what_whoever_makes_such_pictures_must_know(camera: MujocoCamera) -> None:
    said = camera.describe()
    assert said.pop("vertical_angle_deg") == pytest.approx(11.421186)
    assert said == {"colour": "grey", "range": [0.0, 1.0], "first_row": "top"}
