"""Leaving out of a height field what is far away."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot.sim.terrain.config import GeneratorCfg
from fleetfoot.sim.terrain.tiles import make_tiles
from fleetfoot.sim.terrain.trim import stretches, trim_height_fields

FIELD = make_tiles(GeneratorCfg(num_rows=4, num_cols=4, flat_rows=0)).field
XML = to_mjcf(ANYMAL_C, terrain=FIELD, visuals=False)
UPWARDS = to_mjcf(ANYMAL_C, terrain=replace(FIELD, units=np.abs(FIELD.units)), visuals=False)
"""Without pits, so that MuJoCo has the field at the very origin."""


def heights(model: mujoco.MjModel, points: np.ndarray) -> np.ndarray:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    down, groups, hit = np.array([0.0, 0.0, -1.0]), np.array([1, 0, 0, 0, 0, 0], np.uint8), np.zeros(1, np.int32)
    starts = np.concatenate([points, np.full((len(points), 1), 9.0)], axis=1)
    return np.array([9.0 - mujoco.mj_ray(model, data, start, down, groups, 1, -1, hit) for start in starts])


@pytest.mark.parametrize("places", [[[3.21, -5.4]], [[-14.0, 14.0], [-9.0, 15.9]]])
@pytest.mark.parametrize("xml", [XML, UPWARDS], ids=["pits", "upwards"])
def test_what_is_near_stays_where_it_was(xml: str, places: list[list[float]]) -> None:
    whole, trimmed = (mujoco.MjModel.from_xml_string(xml) for _ in range(2))
    trim_height_fields(mujoco, trimmed, np.array(places), reach=3.0)
    assert trimmed.hfield_nrow[0] * trimmed.hfield_ncol[0] < 0.25 * FIELD.units.size
    rng = np.random.default_rng(0)
    near = np.concatenate([place + rng.uniform(-2.99, 2.99, (50, 2)) for place in np.array(places)])
    near = np.clip(near, -15.99, 15.99)
    np.testing.assert_allclose(heights(trimmed, near), heights(whole, near), atol=1e-6)


def test_a_field_that_is_all_near_is_left_alone() -> None:
    whole, trimmed = (mujoco.MjModel.from_xml_string(XML) for _ in range(2))
    trim_height_fields(mujoco, trimmed, np.zeros((1, 2)), reach=100.0)
    np.testing.assert_array_equal(trimmed.hfield_data, whole.hfield_data)
    np.testing.assert_array_equal(trimmed.geom_pos, whole.geom_pos)


def test_a_model_without_any_is_left_alone() -> None:
    flat = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, visuals=False))
    trim_height_fields(mujoco, flat, np.zeros((1, 2)))


def test_a_path_is_cut_where_it_leaves_its_square() -> None:
    walked = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 1.0], [4.5, 1.0], [1.0, 1.0], [30.0, -20.0], [30.0, -19.0]])
    assert stretches(walked, extent=4.0) == [slice(0, 3), slice(3, 5), slice(5, 7)]
    assert stretches(walked, extent=100.0) == [slice(0, 7)]
