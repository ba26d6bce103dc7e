"""Height fields as data, and what MuJoCo makes of them."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot.robots.terrain import HeightField

BUMP = np.array([[0, 0, 0, 0], [0, 4, -2, 0], [0, 0, 0, 0]], dtype=np.int32)
"""High at the lower x, low at the higher one; 3 rows along y, 4 columns along x."""


def field(units: np.ndarray = BUMP) -> HeightField:
    return HeightField(units=units, unit=0.05, cell=0.5)


def height(model: mujoco.MjModel, data: mujoco.MjData, x: float, y: float) -> float:
    """Where a ray straight down meets the ground."""
    groups = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)
    distance = mujoco.mj_ray(
        model, data, np.array([x, y, 9.0]), np.array([0.0, 0.0, -1.0]), groups, 1, -1, np.zeros(1, np.int32)
    )
    return 9.0 - distance


@pytest.fixture(scope="module")
def world() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, terrain=field(), visuals=False))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def test_its_numbers() -> None:
    assert field().size == (1.5, 1.0)
    assert (field().lowest, field().highest) == pytest.approx((-0.1, 0.2))


def test_an_edge_that_is_not_flat_is_refused() -> None:
    with pytest.raises(ConfigError, match="an edge that is not flat"):
        field(np.array([[0, 0], [0, 1]], dtype=np.int32))


def test_a_single_row_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(1, 3\)"):
        field(np.zeros((1, 3), dtype=np.int32))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (-0.25, 0.0, 0.2),  # the corners
        (0.25, 0.0, -0.1),
        (0.0, 0.0, 0.05),  # half way between
        (-0.5, -0.25, 0.1),  # on the diagonal from low x and y to high x and y: half way up to the bump
        (-0.5, 0.25, 0.0),  # on the same diagonal of the next cell: past the bump
        (0.75, 0.5, 0.0),
        (3.0, 0.0, 0.0),  # all around
        (-150.0, 0.2, 0.0),
        (0.1, 40.0, 0.0),
        (-9.0, -40.0, 0.0),
    ],
)
def test_mujoco_has_the_heights_where_they_belong(
    world: tuple[mujoco.MjModel, mujoco.MjData], x: float, y: float, expected: float
) -> None:
    assert height(*world, x, y) == pytest.approx(expected, abs=1e-6)


def test_flat_cells_are_no_special_case() -> None:
    model = mujoco.MjModel.from_xml_string(
        to_mjcf(ANYMAL_C, terrain=field(np.zeros((3, 4), dtype=np.int32)), visuals=False)
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert height(model, data, 0.1, 0.1) == pytest.approx(0.0, abs=1e-6)


def test_the_robot_collides_with_the_field_and_with_what_is_around(
    world: tuple[mujoco.MjModel, mujoco.MjData],
) -> None:
    model, data = world
    for x, ground in ((-0.25, "terrain"), (20.0, "front")):
        mujoco.mj_resetDataKeyframe(model, data, 0)
        data.qpos[:3] = x, 0.0, 0.1
        mujoco.mj_forward(model, data)
        touched = {model.geom(int(geom)).name for contact in data.contact for geom in contact.geom}
        assert ground in touched


def test_a_film_has_a_plane_below_it_all() -> None:
    model = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, terrain=field()))
    (plane,) = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    assert model.geom_contype[plane] == model.geom_conaffinity[plane] == 0
    assert model.geom_pos[plane, 2] == pytest.approx(-0.11)
