"""Tiles of rising difficulty, put together into one height field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never, final

import numpy as np
from numpy.typing import NDArray

from fleetfoot.errors import ConfigError
from fleetfoot.robots.terrain import HeightField
from fleetfoot.sim.terrain import shapes
from fleetfoot.sim.terrain.config import BoxesCfg, GeneratorCfg, RandomRoughCfg, SlopeCfg, StairsCfg, SubTerrainCfg

__all__ = ["Tiles", "make_tiles", "tile_heights"]

_SPAWN = 2.0  # edge of the square in the middle of a tile that robots are put on [m]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Tiles:
    """A map of `L` levels along x and `K` columns along y."""

    field: HeightField
    origins: NDArray[np.float64]
    """Where robots are put on each tile: its middle, at the height of the highest point nearby, `[L, K, 3]` [m]."""
    names: tuple[str, ...]
    """Sub-terrain of each column, `K` of them."""


def make_tiles(cfg: GeneratorCfg) -> Tiles:
    """Build the map: the same one from equal configs.

    Raises:
        ConfigError: The numbers do not fit together.
    """
    at = shapes.corners(cfg.size, cfg.horizontal_scale)
    if abs(at[-1] - cfg.size) > 1e-6 * cfg.size:
        got = f"size {cfg.size}, horizontal_scale {cfg.horizontal_scale}"
        raise ConfigError("terrain.size", got=got, expected="a multiple of terrain.horizontal_scale")
    kinds = _columns(cfg)
    cells = len(at) - 1
    units = np.zeros((cfg.num_cols * cells + 1, cfg.num_rows * cells + 1), dtype=np.int32)
    origins = np.zeros((cfg.num_rows, cfg.num_cols, 3))
    easiest, hardest = cfg.difficulty_range
    near = np.flatnonzero(np.abs(at - cfg.size / 2) < _SPAWN / 2 + 1e-6)
    for column, (name, kind) in enumerate(kinds):
        for level in range(cfg.flat_rows, cfg.num_rows):
            rng = np.random.default_rng([cfg.seed, level, column])  # of its own: tiles do not depend on each other
            share = (level - cfg.flat_rows + rng.uniform()) / (cfg.num_rows - cfg.flat_rows)
            heights = tile_heights(kind, at, easiest + (hardest - easiest) * share, rng, name)
            tile = np.round(heights / cfg.vertical_scale).astype(np.int32)
            x, y = level * cells, column * cells
            units[y : y + cells + 1, x : x + cells + 1] = tile
            origins[level, column, 2] = tile[np.ix_(near, near)].max() * cfg.vertical_scale
    origins[..., 0] = ((np.arange(cfg.num_rows) - 0.5 * (cfg.num_rows - 1)) * cfg.size)[:, None]
    origins[..., 1] = (np.arange(cfg.num_cols) - 0.5 * (cfg.num_cols - 1)) * cfg.size
    field = HeightField(units=units, unit=cfg.vertical_scale, cell=cfg.horizontal_scale)
    return Tiles(field=field, origins=origins, names=tuple(name for name, _ in kinds))


def tile_heights(
    cfg: SubTerrainCfg, at: NDArray[np.float64], difficulty: float, rng: np.random.Generator, name: str = "tile"
) -> NDArray[np.float64]:
    """Heights of one tile.

    Args:
        cfg: What it is.
        at: Where its corners are along an edge, `[n]` [m].
        difficulty: In [0, 1].
        rng: What is random about it.
        name: What errors call it.

    Returns:
        `[n, n]` [m].

    Raises:
        ConfigError: Platform and border leave no room between them.
    """
    border = 0.0 if isinstance(cfg, BoxesCfg) else cfg.border
    platform = 0.0 if isinstance(cfg, RandomRoughCfg) else cfg.platform
    if isinstance(cfg, RandomRoughCfg) and cfg.highest[0] < cfg.lowest:
        got = f"lowest {cfg.lowest} m, highest {cfg.highest[0]} m"
        raise ConfigError(f"terrain.sub_terrains.{name}", got=got, expected="the lowest not above the highest")
    if platform + 2.0 * border >= at[-1]:
        got = f"platform {platform} m, border {border} m"
        raise ConfigError(f"terrain.sub_terrains.{name}", got=got, expected=f"less than a tile of {at[-1]:g} m")
    match cfg:
        case StairsCfg():
            heights = shapes.pyramid_stairs(
                at,
                step_height=_between(cfg.step_height, difficulty),
                step_width=cfg.step_width,
                platform=cfg.platform,
                border=cfg.border,
            )
            return -heights if cfg.inverted else heights
        case SlopeCfg():
            slope = _between(cfg.slope, difficulty)
            heights = shapes.pyramid_slope(at, slope=slope, platform=cfg.platform, border=cfg.border)
            return -heights if cfg.inverted else heights
        case BoxesCfg():
            height = _between(cfg.grid_height, difficulty)
            return shapes.boxes(at, grid_width=cfg.grid_width, grid_height=height, platform=cfg.platform, rng=rng)
        case RandomRoughCfg():
            highest = _between(cfg.highest, difficulty)
            return shapes.random_rough(
                at, lowest=cfg.lowest, highest=highest, noise_step=cfg.noise_step, border=cfg.border, rng=rng
            )
        case _:
            assert_never(cfg)


def _between(bounds: tuple[float, float], difficulty: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * difficulty


def _columns(cfg: GeneratorCfg) -> list[tuple[str, SubTerrainCfg]]:
    """Name and config of each column's sub-terrain: the proportions, as nearly as whole columns can have them."""
    named = vars(cfg.sub_terrains)
    shares = np.cumsum([kind.proportion for kind in named.values()])
    if shares[-1] <= 0.0:
        raise ConfigError("terrain.sub_terrains", got="proportions of 0", expected="one that is above 0")
    middles = (np.arange(cfg.num_cols) + 0.5) / cfg.num_cols * shares[-1]
    return [list(named.items())[index] for index in np.searchsorted(shares, middles)]
