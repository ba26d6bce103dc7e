"""Convex shells for what is only looked at: rounded boxes, tapered bodies, bowed tubes."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

from fleetfoot.robots.description import Hull, Vec3

__all__ = ["loft", "rounded_box", "section"]

_ARC_STEPS = 4  # per quarter circle: round to the eye at video size, and 16 corners are cheap to draw


def section(half_width: float, low: float, high: float, radius: float) -> tuple[tuple[float, float], ...]:
    """A rectangle with rounded corners, from -half_width to half_width and from low to high, as points [m]."""
    radius = min(radius, half_width, (high - low) / 2)
    points: list[tuple[float, float]] = []
    for quarter, (u, v) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        centre = (u * (half_width - radius), (high if v > 0 else low) - v * radius)
        for step in range(_ARC_STEPS + 1):
            angle = (quarter + step / _ARC_STEPS) * pi / 2
            points.append((centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)))
    return tuple(points)


def loft(
    stations: Sequence[tuple[Vec3, tuple[tuple[float, float], ...]]],
    *,
    along: str = "x",
    mirror: Vec3 = (1.0, 1.0, 1.0),
) -> Hull:
    """The convex body through cross-sections.

    Args:
        stations: Where each cross-section lies [m], and its points as `section` gives them.
        along: What the cross-sections are perpendicular to: `x` (their points are y, z), `y` (x, z) or `z` (x, y).
        mirror: +1 or -1 for every axis, applied to all points.
    """
    points: list[Vec3] = []
    for (x, y, z), outline in stations:
        for u, v in outline:
            point = {"x": (x, y + u, z + v), "y": (x + u, y, z + v), "z": (x + u, y + v, z)}[along]
            points.append((mirror[0] * point[0], mirror[1] * point[1], mirror[2] * point[2]))
    return Hull(points=tuple(points))


def rounded_box(center: Vec3, half_size: Vec3, radius: float) -> Hull:
    """A box with rounded edges [m], which are those along x where it is looked at from the side."""
    x, y, z = half_size
    full, inner = section(y, -z, z, radius), section(y - radius, radius - z, z - radius, radius / 2)
    middle = section(y - 0.3 * radius, 0.3 * radius - z, z - 0.3 * radius, radius)
    ends = [(-x, inner), (-x + 0.3 * radius, middle), (-x + radius, full)]
    ends += [(-at, outline) for at, outline in reversed(ends)]
    return loft([((center[0] + at, center[1], center[2]), outline) for at, outline in ends])
