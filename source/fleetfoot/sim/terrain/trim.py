"""Less of a height field, to draw it sooner.

Axes: `F` frames.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["stretches", "trim_height_fields"]

_REACH: Final = 12.0  # what is farther away is small and pale [m]
_EXTENT: Final = 12.0  # no more than this is walked between two looks at what to leave out [m]


def stretches(places: NDArray[np.float64], extent: float = _EXTENT) -> list[slice]:
    """Cut a path into stretches that keep to a square: a robot is soon far away that begins its episodes anywhere.

    Args:
        places: x and y, `[F, 2]` [m].
        extent: Edge of the square [m].

    Returns:
        The frames of each stretch, one after the other.
    """
    cuts, low, high = [0], places[0], places[0]
    for frame, place in enumerate(places):
        low, high = np.minimum(low, place), np.maximum(high, place)
        if (high - low).max() > extent:
            cuts.append(frame)
            low = high = place
    return [slice(first, last) for first, last in itertools.pairwise([*cuts, len(places)])]


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
        model.geom_sameframe[geom] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE  # else a field at the origin stays there
