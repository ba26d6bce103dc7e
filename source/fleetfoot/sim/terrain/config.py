"""The ground that robots walk on. No torch and no simulator here: this is data.

Shapes, ranges and proportions are those of Isaac Lab's `ROUGH_TERRAINS_CFG` where nothing else is said.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from fleetfoot.core.config import (
    IN_ORDER,
    Count,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveRange,
    UnitInterval,
    config,
)

__all__ = [
    "BoxesCfg",
    "GeneratorCfg",
    "PlaneCfg",
    "RandomRoughCfg",
    "SlopeCfg",
    "StairsCfg",
    "SubTerrainCfg",
    "SubTerrainsCfg",
    "TerrainCfg",
]

NonNegativeRange = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], IN_ORDER]
"""Lowest and highest value, neither below zero."""
Difficulties = Annotated[tuple[UnitInterval, UnitInterval], IN_ORDER]


@config
class StairsCfg:
    """A pyramid of steps with a platform on top; inverted, a pit of steps with the platform at its bottom."""

    kind: Literal["stairs"] = "stairs"
    proportion: NonNegativeFloat = 0.2
    """Share of the columns, relative to the others."""
    step_height: PositiveRange = (0.05, 0.23)
    """Height of a step at difficulty 0 and at difficulty 1 [m]."""
    step_width: PositiveFloat = 0.3
    """Depth of a step [m]."""
    platform: PositiveFloat = 3.0
    """Edge of the platform in the middle [m]."""
    border: NonNegativeFloat = 1.0
    """Flat ground along the edge of the tile [m]."""
    inverted: bool = False
    """Whether it goes down to the middle."""


@config
class SlopeCfg:
    """A pyramid of even slopes with a platform on top; inverted, a pit."""

    kind: Literal["slope"] = "slope"
    proportion: NonNegativeFloat = 0.1
    """Share of the columns, relative to the others."""
    slope: NonNegativeRange = (0.0, 0.4)
    """Rise over run at difficulty 0 and at difficulty 1."""
    platform: PositiveFloat = 2.0
    """Edge of the platform in the middle [m]."""
    border: NonNegativeFloat = 0.25
    """Flat ground along the edge of the tile [m]."""
    inverted: bool = False
    """Whether it goes down to the middle."""


@config
class BoxesCfg:
    """A grid of boxes of random heights, around a platform as high as the highest of them can be."""

    kind: Literal["boxes"] = "boxes"
    proportion: NonNegativeFloat = 0.2
    """Share of the columns, relative to the others."""
    grid_width: PositiveFloat = 0.45
    """Edge of a box [m]."""
    grid_height: PositiveRange = (0.05, 0.2)
    """Boxes reach up and down to this from the ground, at difficulty 0 and at difficulty 1 [m]."""
    platform: PositiveFloat = 2.0
    """Edge of the platform in the middle [m]."""


@config
class RandomRoughCfg:
    """A height drawn at every corner of the grid."""

    kind: Literal["random_rough"] = "random_rough"
    proportion: NonNegativeFloat = 0.2
    """Share of the columns, relative to the others."""
    lowest: NonNegativeFloat = 0.02
    """Lowest height that is drawn [m]."""
    highest: NonNegativeRange = (0.04, 0.10)
    """Highest one at difficulty 0 and at difficulty 1 [m]. Isaac Lab has 0.10 throughout, so that no level is easy: who
    has learned to walk on flat ground falls there every three seconds."""
    noise_step: PositiveFloat = 0.02
    """Heights are multiples of this above the lowest [m]."""
    border: NonNegativeFloat = 0.25
    """Flat ground along the edge of the tile [m]."""


SubTerrainCfg: TypeAlias = StairsCfg | SlopeCfg | BoxesCfg | RandomRoughCfg


@config
class SubTerrainsCfg:
    """What the columns of tiles are, in this order. A proportion of 0 leaves one out."""

    pyramid_stairs: StairsCfg = StairsCfg()
    pyramid_stairs_inv: StairsCfg = StairsCfg(inverted=True)
    boxes: BoxesCfg = BoxesCfg()
    random_rough: RandomRoughCfg = RandomRoughCfg()
    hf_pyramid_slope: SlopeCfg = SlopeCfg()
    hf_pyramid_slope_inv: SlopeCfg = SlopeCfg(inverted=True)


@config
class PlaneCfg:
    """Flat ground without end."""

    kind: Literal["plane"] = "plane"


@config
class GeneratorCfg:
    """Square tiles, from easy to hard along x and of different shapes along y, with flat ground all around."""

    kind: Literal["generator"] = "generator"
    seed: NonNegativeInt = 0
    """The map follows from it, and not from the run's seed: a resumed run finds its robots where they stood."""
    num_rows: Count = 10
    """Levels of difficulty."""
    flat_rows: NonNegativeInt = 1
    """How many of them are flat. Isaac Lab has none: its thousands of robots find a gait on rough ground as well. A few
    hundred learn to walk on flat ground first, and leave it when they can."""
    num_cols: Count = 10
    """Columns, shared out among the sub-terrains. Isaac Lab has 20; here robots never meet, so that fewer do."""
    size: PositiveFloat = 8.0
    """Edge of a tile [m]."""
    horizontal_scale: PositiveFloat = 0.1
    """Edge of a cell of the height field [m]. A riser is a cell wide. Half of it makes stepping a third slower."""
    vertical_scale: PositiveFloat = 0.005
    """Heights are multiples of this [m]."""
    difficulty_range: Difficulties = (0.0, 1.0)
    """Difficulty of the first level that is not flat, and of the last."""
    curriculum: bool = True
    """Whether robots go to a harder tile when they have walked far enough and to an easier one when they have not.
    If not, every episode begins on a random tile."""
    max_init_terrain_level: NonNegativeInt = 0
    """Highest level to begin on; the lowest is 0. Without a curriculum, the highest level of all. Isaac Lab has 5."""
    sub_terrains: SubTerrainsCfg = SubTerrainsCfg()


TerrainCfg: TypeAlias = Annotated[PlaneCfg | GeneratorCfg, Field(discriminator="kind")]
