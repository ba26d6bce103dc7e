"""The shapes of single tiles: heights on a grid as pure functions.

Axes: `n` corners along each edge of a tile. A tile reaches from 0 to its size, and is at height zero along its edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["boxes", "corners", "pyramid_slope", "pyramid_stairs", "random_rough"]

Heights = NDArray[np.float64]

_TINY = 1e-6  # a corner that is meant to lie on an edge counts as beyond it


def corners(size: float, cell: float) -> Heights:
    """Where the corners of the cells are along an edge of a tile, `[n]` [m]."""
    return np.arange(round(size / cell) + 1, dtype=np.float64) * cell


def pyramid_stairs(at: Heights, *, step_height: float, step_width: float, platform: float, border: float) -> Heights:
    """Steps up from all four sides: the first riser ends `border` away from the edge, the next ones `step_width` apart.

    Args:
        at: `corners`, `[n]` [m].
        step_height: Height of a step [m].
        step_width: Depth of a step [m].
        platform: Edge of the flat square in the middle [m].
        border: Width of the flat frame [m].

    Returns:
        `[n, n]` [m].
    """
    last = (at[-1] - platform) / 2.0 - border
    inwards = np.clip(_edge_distance(at) - border, -step_width, last)
    return np.maximum(np.floor(inwards / step_width + _TINY) + 1.0, 0.0) * step_height


def pyramid_slope(at: Heights, *, slope: float, platform: float, border: float) -> Heights:
    """An even rise from all four sides: slope * (distance to the frame), up to the platform.

    Args:
        at: `corners`, `[n]` [m].
        slope: Rise over run.
        platform: Edge of the flat square in the middle [m].
        border: Width of the flat frame [m].

    Returns:
        `[n, n]` [m].
    """
    return np.clip(_edge_distance(at) - border, 0.0, (at[-1] - platform) / 2.0 - border) * slope


def boxes(at: Heights, *, grid_width: float, grid_height: float, platform: float, rng: np.random.Generator) -> Heights:
    """As many whole boxes as fit, each at a height from U(-grid_height, grid_height); the platform is at grid_height.

    Args:
        at: `corners`, `[n]` [m].
        grid_width: Edge of a box [m].
        grid_height: [m]
        platform: Edge of the flat square in the middle [m].
        rng: What heights are drawn from.

    Returns:
        `[n, n]` [m].
    """
    count = int(at[-1] / grid_width + _TINY)
    margin = (at[-1] - count * grid_width) / 2.0
    number = np.floor((at - margin) / grid_width + _TINY).astype(np.int64)
    drawn = np.pad(rng.uniform(-grid_height, grid_height, (count, count)), 1)  # the frame is at height zero
    place = np.clip(number, -1, count) + 1
    place[[0, -1]] = 0
    heights = drawn[np.ix_(place, place)]
    heights[_edge_distance(at) > (at[-1] - platform) / 2.0 - _TINY] = grid_height
    return heights


def random_rough(
    at: Heights, *, lowest: float, highest: float, noise_step: float, border: float, rng: np.random.Generator
) -> Heights:
    """A height for every corner: lowest + k noise_step, each k up to the highest as likely as the others.

    Args:
        at: `corners`, `[n]` [m].
        lowest: [m]
        highest: [m]
        noise_step: [m]
        border: Width of the flat frame [m].
        rng: What heights are drawn from.

    Returns:
        `[n, n]` [m].
    """
    steps = int((highest - lowest) / noise_step + _TINY)
    drawn = lowest + noise_step * rng.integers(0, steps + 1, (len(at), len(at)))
    distance = _edge_distance(at)
    return np.where((distance > border - _TINY) & (distance > 0.0), drawn, 0.0)


def _edge_distance(at: Heights) -> Heights:
    """Distance of every corner to the nearest edge of the tile, `[n, n]` [m]."""
    along = np.minimum(at, at[-1] - at)
    return np.minimum.outer(along, along)
