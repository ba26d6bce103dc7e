"""Ground as plain data: heights on a square grid, flat at height zero all around. This module knows no simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from fleetfoot.errors import ConfigError

__all__ = ["HeightField"]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class HeightField:
    """Heights at the corners of square cells; the middle of the grid is the origin of the world.

    Between the corners the ground is two triangles per cell: the one cut off by the diagonal from the corner of lowest
    x and y to that of highest x and y, and the other. Beyond the grid it is flat, at height zero.
    """

    units: NDArray[np.int32]
    """Height at `[row along y, column along x]`, in units of `unit`, both from low to high; zero along the edge."""
    unit: float
    """What one of them is worth [m]."""
    cell: float
    """Edge of a cell [m]."""

    def __post_init__(self) -> None:
        if self.units.ndim != 2 or min(self.units.shape) < 2:
            raise ConfigError("height field", got=f"shape {self.units.shape}", expected="[rows, columns], 2 of each")
        edges = (self.units[0], self.units[-1], self.units[:, 0], self.units[:, -1])
        if any(edge.any() for edge in edges):
            raise ConfigError("height field", got="an edge that is not flat", expected="height zero along the edge")

    @property
    def size(self) -> tuple[float, float]:
        """Extent along x and y [m]."""
        rows, columns = self.units.shape
        return (columns - 1) * self.cell, (rows - 1) * self.cell

    @property
    def lowest(self) -> float:
        """Lowest height [m]."""
        return float(self.units.min()) * self.unit

    @property
    def highest(self) -> float:
        """Highest height [m]."""
        return float(self.units.max()) * self.unit
