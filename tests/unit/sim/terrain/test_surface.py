"""The height of the ground: by hand, and against MuJoCo's own rays."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor

from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot.robots.terrain import HeightField
from fleetfoot.sim.terrain.config import GeneratorCfg
from fleetfoot.sim.terrain.surface import Surface, triangle_height
from fleetfoot.sim.terrain.tiles import make_tiles


def test_height_of_a_cell_by_hand() -> None:
    # Corners (0, 0): 1, (1, 0): 2, (0, 1): 4, (1, 1): 8.
    field = torch.tensor([1.0, 2.0, 4.0, 8.0])
    u = torch.tensor([0.5, 0.75, 0.25, 0.5, 0.0, 0.9])
    v = torch.tensor([0.5, 0.25, 0.75, 0.0, 0.5, 0.0])
    # On the diagonal: (1 + 8) / 2. Below it: 1 + u (2 - 1) + v (8 - 2). Above it: 1 + v (4 - 1) + u (8 - 4).
    expected = torch.tensor([4.5, 3.25, 4.25, 1.5, 2.5, 1.9])
    torch.testing.assert_close(triangle_height(field, 2, u, v), expected)


def test_the_map_goes_on_flat(device: torch.device) -> None:
    units = np.zeros((5, 5), dtype=np.int32)
    units[1:4, 1:4] = 10
    surface = Surface(HeightField(units=units, unit=0.1, cell=1.0), device)
    points = torch.tensor([[0.0, 0.0], [1.5, 0.0], [2.0, 0.0], [2.5, 1.0], [-1e4, 0.0], [0.3, 1e4]], device=device)
    torch.testing.assert_close(surface.height(points).cpu(), torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0, 0.0]))


@pytest.fixture(scope="module")
def small_map() -> HeightField:
    """All kinds of ground, hard: 8 m by 48 m."""
    return make_tiles(GeneratorCfg(num_rows=1, flat_rows=0, num_cols=6, difficulty_range=(0.9, 1.0))).field


@pytest.fixture(scope="module")
def rays(small_map: HeightField):
    model = mujoco.MjModel.from_xml_string(to_mjcf(ANYMAL_C, terrain=small_map, visuals=False))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    ground = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)

    def cast(points: Tensor) -> Tensor:
        """Height at which a ray straight down meets the ground, at points `[n, 2]`."""
        down, hit = np.array([0.0, 0.0, -1.0]), np.zeros(1, np.int32)
        starts = np.concatenate([points.double().numpy(), np.full((len(points), 1), 9.0)], axis=1)
        return torch.tensor([9.0 - mujoco.mj_ray(model, data, start, down, ground, 1, -1, hit) for start in starts])

    return cast


def test_it_is_what_rays_find(small_map: HeightField, rays) -> None:
    points = (torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * torch.tensor([9.0, 49.0])
    found = Surface(small_map, "cpu").height(points)
    assert found.std() > 0.1
    torch.testing.assert_close(found, rays(points).float(), atol=1e-5, rtol=0)


def test_a_grid_turns_with_the_robot(small_map: HeightField, rays) -> None:
    position = torch.tensor([[0.3, -20.2], [-1.7, 3.3], [3.0, 11.0]])
    angle = torch.tensor([0.0, math.pi / 2, -2.0])
    heading = torch.stack((angle.cos(), angle.sin()), dim=1)
    grid = torch.tensor([[0.4, 0.0, -0.3], [0.0, 0.5, 0.2]])
    seen = Surface(small_map, "cpu").height_around(position, heading, grid)
    # By hand: straight on it is added; after a quarter turn x becomes y and y becomes -x.
    points = torch.zeros(3, 3, 2)
    points[0] = position[0] + grid.T
    points[1] = position[1] + torch.stack((-grid[1], grid[0]), dim=1)
    c, s = heading[2]
    points[2] = position[2] + torch.stack((c * grid[0] - s * grid[1], s * grid[0] + c * grid[1]), dim=1)
    torch.testing.assert_close(seen, rays(points.reshape(-1, 2)).float().reshape(3, 3), atol=1e-5, rtol=0)
