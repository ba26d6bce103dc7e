"""The height of the ground anywhere, read from the height field itself: what a ray straight down would find.

Axes: `n` robots, `P` points.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor

from fleetfoot.robots.terrain import HeightField

__all__ = ["Surface", "triangle_height"]


def triangle_height(field: Tensor, columns: int, u: Tensor, v: Tensor) -> Tensor:
    """Height of the triangle below each point; u and v are overwritten.

    The diagonal of a cell goes from its corner (0, 0) to (1, 1). With p the larger and q the smaller of the fractions
    of u and v, and h the corner on that side of the diagonal: z = z00 + p (h - z00) + q (z11 - h).

    Args:
        field: Heights of the corners, row by row, `[rows * columns]` [m].
        columns: Corners in a row.
        u: Place along the rows, in cells, in [0, columns - 1), `[…]`.
        v: Place across the rows, in cells, in [0, rows - 1), `[…]`.

    Returns:
        `[…]` [m].
    """
    whole_u, whole_v = u.to(torch.int32), v.to(torch.int32)
    corner = torch.add(whole_u, whole_v, alpha=columns).flatten()
    u, v = u.sub_(whole_u), v.sub_(whole_v)
    side = torch.where(u > v, 1, columns).to(torch.int32).flatten().add_(corner)
    near = field.index_select(0, corner)
    beside = field.index_select(0, side)
    far = field.index_select(0, corner.add_(columns + 1))
    larger, smaller = torch.maximum(u, v).flatten(), torch.minimum(u, v).flatten()
    height = torch.addcmul(near, larger, beside - near).addcmul_(smaller, far.sub_(beside))
    return height.view_as(u)


@final
class Surface:
    """The height of a height field, and of the flat ground around it.

    Args:
        field: The heights.
        device: Where points and heights live.
    """

    def __init__(self, field: HeightField, device: torch.device | str) -> None:
        # One more cell all around, at height zero as everything beyond: points out there are as good as points in it.
        units = np.pad(field.units, 1)
        rows, self._columns = units.shape
        self._heights = torch.as_tensor(units, device=device).to(torch.float32).mul_(field.unit).flatten()
        self._per_metre = 1.0 / field.cell
        self._last = (self._columns - 1.5, rows - 1.5)
        self._middle = torch.tensor([(self._columns - 1) / 2, (rows - 1) / 2], device=device)

    def height(self, points: Tensor) -> Tensor:
        """Height of the ground at points x, y `[…, 2]` [m], `[…]` [m]."""
        u, v = torch.add(self._middle, points, alpha=self._per_metre).unbind(dim=-1)
        return self._read(u.contiguous(), v.contiguous())

    def height_around(self, position: Tensor, heading: Tensor, grid: Tensor) -> Tensor:
        """Height of the ground at points that move and turn with robots.

        Args:
            position: x and y of each robot, `[n, 2]` [m].
            heading: Cosine and sine of its heading, `[n, 2]`.
            grid: x and y of each point, seen from a robot at the origin with a heading of zero, `[2, P]` [m].

        Returns:
            `[n, P]` [m].
        """
        u, v = torch.add(self._middle, position, alpha=self._per_metre).split(1, dim=1)
        cos, sin = (heading * self._per_metre).split(1, dim=1)
        # u = u0 + cos x - sin y, v = v0 + sin x + cos y
        shape = (-1, grid.shape[1])
        u = torch.addmm(u.expand(shape), torch.cat((cos, -sin), dim=1), grid)
        v = torch.addmm(v.expand(shape), torch.cat((sin, cos), dim=1), grid)
        return self._read(u, v)

    def _read(self, u: Tensor, v: Tensor) -> Tensor:
        u.clamp_(0.0, self._last[0])
        v.clamp_(0.0, self._last[1])
        return triangle_height(self._heights, self._columns, u, v)
