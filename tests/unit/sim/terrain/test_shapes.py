"""Heights of single tiles, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fleetfoot.sim.terrain import shapes

AT = shapes.corners(4.0, 0.1)
"""Corners of a tile of 4 m: number 20 is in the middle."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_corners_reach_from_edge_to_edge() -> None:
    assert shapes.corners(1.0, 0.25).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_steps_go_up_after_the_border_and_then_at_every_width() -> None:
    heights = shapes.pyramid_stairs(AT, step_height=0.2, step_width=0.3, platform=2.0, border=0.4)
    # Risers end at 0.4, 0.7 and 1.0 m; from there on it is the platform.
    expected = [0.0] * 4 + [0.2] * 3 + [0.4] * 3 + [0.6] * 11
    np.testing.assert_allclose(heights[20, :21], expected)
    np.testing.assert_allclose(heights[5], [0.0] * 4 + [0.2] * 33 + [0.0] * 4)  # the first step, all along


def test_stairs_are_the_same_from_all_four_sides() -> None:
    heights = shapes.pyramid_stairs(AT, step_height=0.2, step_width=0.3, platform=1.0, border=0.4)
    for other in (heights.T, heights[::-1], heights[:, ::-1]):
        np.testing.assert_array_equal(heights, other)


def test_a_slope_rises_evenly_up_to_its_platform() -> None:
    heights = shapes.pyramid_slope(AT, slope=0.5, platform=2.0, border=0.2)
    along = heights[20]
    np.testing.assert_allclose(along[[0, 2, 3, 6, 10, 20, 30, 34, 38]], [0, 0, 0.05, 0.2, 0.4, 0.4, 0.4, 0.2, 0])
    assert heights[6, 6] == pytest.approx(0.2)  # the corner of a contour


def test_boxes_have_one_height_each_and_stand_around_the_platform(rng: np.random.Generator) -> None:
    heights = shapes.boxes(AT, grid_width=0.9, grid_height=0.1, platform=1.0, rng=rng)
    # Four boxes of 0.9 m leave 0.2 m along each edge: corners 2 to 10, 11 to 19, 20 to 28 and 29 to 37 are theirs.
    assert (heights[:2] == 0.0).all()
    assert (heights[:, 38:] == 0.0).all()
    assert np.ptp(heights[2:11, 2:11]) == 0.0
    assert np.ptp(heights[2:11, 29:38]) == 0.0
    assert heights[2, 2] != heights[2, 11]
    assert np.abs(heights).max() <= 0.1
    assert (heights[15:26, 15:26] == 0.1).all()
    assert heights[14, 20] != 0.1


def test_boxes_may_fill_the_tile_but_for_its_edge(rng: np.random.Generator) -> None:
    heights = shapes.boxes(AT, grid_width=0.5, grid_height=0.1, platform=1.0, rng=rng)
    edge = np.concatenate([heights[0], heights[-1], heights[:, 0], heights[:, -1]])
    assert (edge == 0.0).all()
    assert (heights[1:-1, 1] != 0.0).all()


def test_rough_heights_are_whole_steps_within_their_bounds(rng: np.random.Generator) -> None:
    heights = shapes.random_rough(AT, lowest=0.02, highest=0.10, noise_step=0.02, border=0.2, rng=rng)
    inner = heights[2:-2, 2:-2]
    assert sorted(set(np.round(inner.ravel() / 0.02).astype(int))) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(inner / 0.02, np.round(inner / 0.02))
    assert (heights[:2] == 0.0).all()
    assert (heights[:, -2:] == 0.0).all()


def test_rough_ground_without_a_border_is_still_flat_along_its_edge(rng: np.random.Generator) -> None:
    heights = shapes.random_rough(AT, lowest=0.02, highest=0.10, noise_step=0.02, border=0.0, rng=rng)
    assert (heights[0] == 0.0).all()
    assert (heights[1, 1:-1] > 0.0).all()
