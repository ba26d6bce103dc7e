"""Less of a height field, to draw it sooner.

Axes: `F` frames.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["trim_height_fields"]

_REACH: Final = 14.0  # what is farther away is small and pale [m]


def trim_height_fields(mujoco: Any, model: Any, places: NDArray[np.float64], reach: float = _REACH) -> None:
    """Keep of a model's height fields what is near some places.

    Every cell is drawn in every frame, seen or not: of a map of 80 m that takes software OpenGL most of its time.

    Args:
        mujoco: The module, which only whoever draws may import.
        model: Changed in place, before a renderer is made of it. Its height fields lie on the world, not turned.
        places: x and y, `[F, 2]` [m].
        reach: Distance along x and along y to keep [m].
    """
    for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD):
        field = model.geom_dataid[geom]
        start, rows, columns = model.hfield_adr[field], model.hfield_nrow[field], model.hfield_ncol[field]
        centre, half = model.geom_pos[geom, :2].copy(), model.hfield_size[field, :2].copy()
        cell = 2.0 * half / (columns - 1, rows - 1)
        low, high = places.min(axis=0) - reach, places.max(axis=0) + reach
        first = np.clip(np.floor((low - centre + half) / cell), 0, (columns - 2, rows - 2)).astype(int)
        last = np.clip(np.ceil((high - centre + half) / cell), first + 1, (columns - 1, rows - 1)).astype(int)
        heights = model.hfield_data[start : start + rows * columns].reshape(rows, columns)
        kept = heights[first[1] : last[1] + 1, first[0] : last[0] + 1].copy()
        model.hfield_data[start : start + kept.size] = kept.ravel()
        model.hfield_nrow[field], model.hfield_ncol[field] = kept.shape
        model.hfield_size[field, :2] = 0.5 * cell * (last - first)
        model.geom_pos[geom, :2] = centre - half + 0.5 * cell * (first + last)
