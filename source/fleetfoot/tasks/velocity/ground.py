"""Rough ground in the velocity task: what is seen of it, and which tile an episode is about.

Axes: `n` or `N` environments, `P` points of the height scan, `L` levels, `K` columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fleetfoot.envs.task import Curriculum, ObsTerm
from fleetfoot.robots.terrain import HeightField
from fleetfoot.sim.terrain.config import GeneratorCfg, PlaneCfg
from fleetfoot.sim.terrain.surface import Surface
from fleetfoot.sim.terrain.tiles import Tiles, make_tiles
from fleetfoot.tasks.velocity.config import HeightScanCfg, VelocityEnvCfg
from fleetfoot.tasks.velocity.state import RobotState

__all__ = ["Ground", "first_lessons", "height_scan", "make_ground", "next_levels", "place", "scan_grid"]

_PLANE = HeightField(units=np.zeros((2, 2), dtype=np.int32), unit=1.0, cell=1.0)


@final
@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the ground brings into the task."""

    field: HeightField | None
    """To build; None for a plane."""
    curriculum: Curriculum[RobotState] | None
    scan: tuple[ObsTerm[RobotState], ...]
    """The height scan as the policy gets it; empty if it gets none."""
    contract: Mapping[str, Any]
    """What the robot needs to know of it."""


def make_ground(cfg: VelocityEnvCfg, device: torch.device | str) -> Ground:
    """Build it.

    Raises:
        ConfigError: The numbers of the terrain do not fit together.
    """
    terrain = cfg.scene.terrain
    field, curriculum = None, None
    match terrain:
        case PlaneCfg():
            pass
        case GeneratorCfg():
            tiles = make_tiles(terrain)
            field = tiles.field
            curriculum = _curriculum(tiles, terrain, episode_length_s=cfg.episode_length_s, device=device)
        case _:
            assert_never(terrain)
    scan = cfg.observations.height_scan
    if scan is None:
        return Ground(field=field, curriculum=curriculum, scan=(), contract={})
    surface = Surface(_PLANE if field is None else field, device)
    term = ObsTerm(
        name="height_scan",
        fn=partial(height_scan, surface=surface, grid=scan_grid(scan, device), offset=scan.offset),
        size=scan.num_points,
        noise=scan.noise if cfg.observations.enable_corruption else 0.0,
        clip=(-scan.clip, scan.clip),
    )
    pattern = {"shape": list(scan.shape), "resolution": scan.resolution, "offset": scan.offset, "order": "x_first"}
    return Ground(field=field, curriculum=curriculum, scan=(term,), contract={"height_scan": pattern})


def scan_grid(cfg: HeightScanCfg, device: torch.device | str) -> Tensor:
    """Where the points are, seen from the robot: rows from hind to front, from the right to the left, `[2, P]` [m]."""
    x, y = (torch.arange(count, device=device) - 0.5 * (count - 1) for count in cfg.shape)
    return torch.stack((x.repeat(len(y)), y.repeat_interleave(len(x)))) * cfg.resolution


def height_scan(state: RobotState, *, surface: Surface, grid: Tensor, offset: float) -> Tensor:
    """Height of the base above the ground at each point of the grid, less `offset`, `[n, P]` [m]."""
    position = state.frame.sim.qpos[:, :3]
    heading = F.normalize(state.rotation[:, :2, 0], dim=1)
    ground = surface.height_around(position[:, :2], heading, grid)
    return (position[:, 2:] - offset).sub(ground)


def first_lessons(n: int, generator: torch.Generator, *, origins: Tensor, highest: int) -> dict[str, Tensor]:
    """Robots spread evenly over the columns, each on a level up to `highest`.

    Args:
        n: How many.
        generator: What levels are drawn from.
        origins: Where robots are put on each tile, `[L, K, 3]` [m].
        highest: Below `L`.

    Returns:
        `level` and `column`, int64 `[n]`, and `origin`, `[n, 3]` [m].
    """
    column = torch.arange(n, device=origins.device) * origins.shape[1] // n
    return _lessons(torch.randint(highest + 1, (n,), generator=generator, device=origins.device), column, origins)


def next_levels(
    level: Tensor, walked: Tensor, asked: Tensor, anywhere: Tensor, *, half_tile: float, num_levels: int
) -> Tensor:
    """One up for leaving the tile, one down for less than half the way asked for; past the last, anywhere.

    Args:
        level: Level of the episode that has ended, int64 `[n]`.
        walked: Distance from where it began [m], `[n]`.
        asked: Distance that its last command would have led to in a full episode [m], `[n]`.
        anywhere: Levels for those that have passed the last one, int64 `[n]`.
        half_tile: Half the edge of a tile [m].
        num_levels: `L`.

    Returns:
        int64 `[n]`.
    """
    up = walked > half_tile
    down = (walked < 0.5 * asked) & ~up
    level = (level + up.long() - down.long()).clamp_(min=0)
    return torch.where(level < num_levels, level, anywhere)


def place(qpos: Tensor, lesson: Mapping[str, Tensor]) -> Tensor:
    """Move robots from the origin of the world to that of their tile, `[n, Q]`."""
    return torch.cat((qpos[:, :3] + lesson["origin"], qpos[:, 3:]), dim=1)


def _curriculum(
    tiles: Tiles, cfg: GeneratorCfg, *, episode_length_s: float, device: torch.device | str
) -> Curriculum[RobotState]:
    """Each robot keeps to its column and moves between the levels; or goes anywhere, without `cfg.curriculum`."""
    origins = torch.as_tensor(tiles.origins, dtype=torch.float32, device=device)
    highest = min(cfg.max_init_terrain_level, cfg.num_rows - 1)
    metrics = {"Curriculum/terrain_levels": _mean_level}
    if cfg.curriculum:
        return Curriculum(
            first=partial(first_lessons, origins=origins, highest=highest),
            next=partial(_next_lessons, origins=origins, half_tile=0.5 * cfg.size, episode_length_s=episode_length_s),
            place=place,
            metrics=metrics,
        )
    return Curriculum(
        first=partial(_random_lessons, origins=origins, highest=highest),
        next=partial(_any_next_lessons, origins=origins, highest=highest),
        place=place,
        metrics=metrics,
    )


def _next_lessons(
    state: RobotState, generator: torch.Generator, *, origins: Tensor, half_tile: float, episode_length_s: float
) -> dict[str, Tensor]:
    lesson, frame = state.frame.lesson, state.frame
    num_levels = len(origins)
    level = next_levels(
        lesson["level"],
        (frame.sim.qpos[:, :2] - lesson["origin"][:, :2]).norm(dim=1),
        frame.command[:, :2].norm(dim=1) * episode_length_s,
        torch.randint(num_levels, lesson["level"].shape, generator=generator, device=origins.device),
        half_tile=half_tile,
        num_levels=num_levels,
    )
    return _lessons(level, lesson["column"], origins)


def _random_lessons(n: int, generator: torch.Generator, *, origins: Tensor, highest: int) -> dict[str, Tensor]:
    level, column = (
        torch.randint(count, (n,), generator=generator, device=origins.device)
        for count in (highest + 1, origins.shape[1])
    )
    return _lessons(level, column, origins)


def _any_next_lessons(
    state: RobotState, generator: torch.Generator, *, origins: Tensor, highest: int
) -> dict[str, Tensor]:
    return _random_lessons(len(state.command), generator, origins=origins, highest=highest)


def _lessons(level: Tensor, column: Tensor, origins: Tensor) -> dict[str, Tensor]:
    return {"level": level, "column": column, "origin": origins[level, column]}


def _mean_level(lesson: Mapping[str, Tensor]) -> Tensor:
    return lesson["level"].float().mean()
