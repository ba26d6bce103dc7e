"""Shapes of a robot as prims of a USD stage."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Usd, UsdGeom, Vt
from scipy.spatial import ConvexHull

from fleetfoot.robots.description import Box, Capsule, Cylinder, Ellipsoid, Hull, Shape, Sphere, Vec3

__all__ = ["add_shape", "place"]


def add_shape(stage: Usd.Stage, path: str, shape: Shape) -> UsdGeom.Gprim:
    """Defines the shape at that path, in the frame of the path's parent."""
    match shape:
        case Box():
            cube = UsdGeom.Cube.Define(stage, path)
            cube.CreateSizeAttr(2.0)
            return place(cube, shape.center, scale=shape.half_size)
        case Sphere():
            sphere = UsdGeom.Sphere.Define(stage, path)
            sphere.CreateRadiusAttr(shape.radius)
            return place(sphere, shape.center)
        case Ellipsoid():
            return _mesh(stage, path, _faceted(shape))
        case Capsule():
            return _upright(UsdGeom.Capsule.Define(stage, path), shape)
        case Cylinder():
            return _upright(UsdGeom.Cylinder.Define(stage, path), shape)
        case Hull():
            return _mesh(stage, path, shape)
        case _:
            assert_never(shape)


def place(
    prim: UsdGeom.Xformable, translate: Vec3, *, orient: Gf.Quatd | None = None, scale: Vec3 = (1.0, 1.0, 1.0)
) -> UsdGeom.Xformable:
    """Gives a prim the three operations that Isaac Lab looks for, and returns it."""
    prim.AddTranslateOp().Set(Gf.Vec3d(*translate))
    prim.AddOrientOp(UsdGeom.XformOp.PrecisionDouble).Set(orient or Gf.Quatd(1.0))
    prim.AddScaleOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Vec3d(*scale))
    return prim


def _upright(prim: UsdGeom.Capsule | UsdGeom.Cylinder, shape: Capsule | Cylinder) -> UsdGeom.Gprim:
    """A capsule or a cylinder: along z, and turned."""
    start, end = Gf.Vec3d(*shape.start), Gf.Vec3d(*shape.end)
    prim.CreateAxisAttr(UsdGeom.Tokens.z)
    prim.CreateHeightAttr((end - start).GetLength())
    prim.CreateRadiusAttr(shape.radius)
    return place(prim, 0.5 * (start + end), orient=Gf.Rotation(Gf.Vec3d(0.0, 0.0, 1.0), end - start).GetQuat())


def _faceted(ellipsoid: Ellipsoid) -> Hull:
    """An ellipsoid as a solid of flat faces, at most 1 % of a semi-axis inside of it: a sphere cannot be stretched."""
    around = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    up = np.linspace(0.0, np.pi, 17)[1:-1, None]
    ring = np.stack(np.broadcast_arrays(np.sin(up) * np.cos(around), np.sin(up) * np.sin(around), np.cos(up)), axis=-1)
    unit = np.concatenate([ring.reshape(-1, 3), [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0)]])
    points = unit * ellipsoid.semi_axes + ellipsoid.center
    return Hull(points=tuple((x, y, z) for x, y, z in points.tolist()))


def _mesh(stage: Usd.Stage, path: str, hull: Hull) -> UsdGeom.Mesh:
    points, triangles = _triangles(hull)
    corners = Vt.Vec3fArray.FromNumpy(points.astype(np.float32))
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(corners)
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(triangles.ravel().astype(np.int32)))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(triangles), 3))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(corners))
    return mesh


def _triangles(hull: Hull) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners of the convex hull `[n, 3]`, and its triangles `[m, 3]`, anticlockwise when looked at from outside."""
    points = np.array(hull.points)
    found = ConvexHull(points)
    triangles = found.simplices.astype(np.int64)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    outward = (np.cross(b - a, c - a) * found.equations[:, :3]).sum(axis=1) > 0
    triangles[~outward] = triangles[~outward][:, ::-1]
    used, renumbered = np.unique(triangles, return_inverse=True)
    return points[used], renumbered.reshape(-1, 3)
