"""The map that is made of tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.sim.terrain.config import (
    BoxesCfg,
    GeneratorCfg,
    RandomRoughCfg,
    SlopeCfg,
    StairsCfg,
    SubTerrainsCfg,
)
from fleetfoot.sim.terrain.shapes import corners
from fleetfoot.sim.terrain.tiles import make_tiles, tile_heights

SMALL = GeneratorCfg(num_rows=3, num_cols=6, flat_rows=0)
EACH_ONCE = (
    "pyramid_stairs",
    "pyramid_stairs_inv",
    "boxes",
    "random_rough",
    "hf_pyramid_slope",
    "hf_pyramid_slope_inv",
)


def only(**kinds: object) -> SubTerrainsCfg:
    """The given ones, and none of the others."""
    none = {name: replace(kind, proportion=0.0) for name, kind in vars(SubTerrainsCfg()).items()}
    return SubTerrainsCfg(**{**none, **kinds})


def test_columns_are_shared_out_by_proportion() -> None:
    assert make_tiles(GeneratorCfg()).names == (
        *("pyramid_stairs",) * 2,
        *("pyramid_stairs_inv",) * 2,
        *("boxes",) * 2,
        *("random_rough",) * 2,
        "hf_pyramid_slope",
        "hf_pyramid_slope_inv",
    )
    even = {name: replace(kind, proportion=1.0) for name, kind in vars(SubTerrainsCfg()).items()}
    assert make_tiles(replace(SMALL, num_rows=1, sub_terrains=SubTerrainsCfg(**even))).names == EACH_ONCE


def test_a_proportion_of_zero_leaves_one_out() -> None:
    assert set(make_tiles(replace(SMALL, num_rows=1, sub_terrains=only(boxes=BoxesCfg()))).names) == {"boxes"}


def test_tiles_share_their_edges_at_height_zero() -> None:
    tiles = make_tiles(SMALL)
    assert tiles.field.units.shape == (6 * 80 + 1, 3 * 80 + 1)  # columns along y, levels along x
    assert (tiles.field.units[::80] == 0).all()
    assert (tiles.field.units[:, ::80] == 0).all()
    assert tiles.field.units.any()


def test_origins_are_the_middles_at_the_height_of_the_ground() -> None:
    tiles = make_tiles(SMALL)
    np.testing.assert_allclose(tiles.origins[:, 0, 0], [-8.0, 0.0, 8.0])
    np.testing.assert_allclose(tiles.origins[0, :, 1], [-20.0, -12.0, -4.0, 4.0, 12.0, 20.0])
    middle = tiles.field.units[40::80, 40::80].T * 0.005
    flat = [name != "random_rough" for name in tiles.names]
    np.testing.assert_allclose(tiles.origins[..., 2][:, flat], middle[:, flat])
    assert (tiles.origins[..., 2] >= middle).all()


def test_it_gets_harder_along_x() -> None:
    stairs = make_tiles(replace(SMALL, num_rows=10, num_cols=1, sub_terrains=only(pyramid_stairs=StairsCfg())))
    tops = stairs.origins[:, 0, 2]
    # Six steps of 0.05 + 0.18 d, with d anywhere in its tenth.
    assert (tops >= 6 * (0.05 + 0.18 * np.arange(10) / 10) - 0.003).all()
    assert (tops <= 6 * (0.05 + 0.18 * np.arange(1, 11) / 10) + 0.003).all()
    gentle = replace(SMALL, num_cols=1, sub_terrains=only(pyramid_stairs=StairsCfg()), difficulty_range=(0.0, 0.0))
    np.testing.assert_allclose(make_tiles(gentle).origins[:, 0, 2], 0.3)


def test_the_first_levels_are_flat_and_difficulty_begins_after_them() -> None:
    stairs = replace(SMALL, num_rows=6, num_cols=1, sub_terrains=only(pyramid_stairs=StairsCfg()), flat_rows=2)
    tiles = make_tiles(stairs)
    assert not tiles.field.units[:, :161].any()
    tops = tiles.origins[:, 0, 2]
    assert tops[:2].tolist() == [0.0, 0.0]
    assert 6 * 0.05 - 0.003 <= tops[2] <= 6 * (0.05 + 0.18 / 4) + 0.003
    assert 6 * (0.05 + 0.18 * 3 / 4) - 0.003 <= tops[5] <= 6 * 0.23 + 0.003
    assert not make_tiles(replace(SMALL, num_rows=2, flat_rows=5)).field.units.any()


def test_rough_ground_gets_rougher() -> None:
    at, rng = corners(8.0, 0.1), np.random.default_rng(0)
    easy, hard = (tile_heights(RandomRoughCfg(), at, difficulty, rng).max() for difficulty in (0.0, 1.0))
    assert (easy, hard) == pytest.approx((0.04, 0.10))


def test_inverted_ones_go_down() -> None:
    at, rng = corners(8.0, 0.1), np.random.default_rng(0)
    for kind in (StairsCfg(), SlopeCfg()):
        up = tile_heights(kind, at, 0.5, rng)
        assert up.min() == 0.0
        assert up.max() > 0.3
        np.testing.assert_array_equal(tile_heights(replace(kind, inverted=True), at, 0.5, rng), -up)


def test_steps_have_the_height_of_their_difficulty() -> None:
    heights = tile_heights(StairsCfg(), corners(8.0, 0.1), 0.5, np.random.default_rng(0))
    assert heights[40, 10] == pytest.approx(0.14)
    assert heights[40, 40] == pytest.approx(6 * 0.14)
    assert heights[40, 25] == pytest.approx(6 * 0.14)  # a platform of 3 m begins 2.5 m from the edge
    assert heights[40, 24] == pytest.approx(5 * 0.14)


def test_equal_configs_make_equal_maps_and_other_seeds_others() -> None:
    first, again, other = (make_tiles(replace(SMALL, seed=seed)).field.units for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_tile_does_not_depend_on_the_others() -> None:
    rough = only(random_rough=RandomRoughCfg())
    wide, narrow = (make_tiles(replace(SMALL, num_cols=n, sub_terrains=rough)).field.units for n in (2, 1))
    np.testing.assert_array_equal(wide[:81], narrow)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (GeneratorCfg(size=8.05), "a multiple of terrain.horizontal_scale"),
        (GeneratorCfg(sub_terrains=only()), "proportions of 0"),
        (
            GeneratorCfg(sub_terrains=only(boxes=BoxesCfg(platform=8.0))),
            r"terrain\.sub_terrains\.boxes: got platform 8",
        ),
        (GeneratorCfg(sub_terrains=only(random_rough=RandomRoughCfg(lowest=0.05))), "lowest not above the highest"),
        (GeneratorCfg(sub_terrains=only(pyramid_stairs=StairsCfg(border=3.0))), "border 3.0 m; expected less than"),
    ],
)
def test_what_does_not_fit_together_is_refused(cfg: GeneratorCfg, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_tiles(cfg)
