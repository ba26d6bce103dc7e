"""What ANYmal C looks like: red shells, graphite legs, rubber feet. Own shapes, nothing here has mass or collides."""

from __future__ import annotations

from typing import Final

from fleetfoot.robots.description import Capsule, Cylinder, Ellipsoid, Geom, Material, Shape, Sphere, Vec3
from fleetfoot.robots.shells import loft, rounded_box, section

__all__ = ["MATERIALS", "base", "hip", "shank", "thigh"]

MATERIALS: Final = (
    Material(name="red", colour=(0.68, 0.06, 0.045), specular=0.45, shininess=0.55),
    Material(name="graphite", colour=(0.165, 0.17, 0.185), specular=0.4, shininess=0.45),
    Material(name="dark", colour=(0.06, 0.062, 0.07), specular=0.5, shininess=0.6),
    Material(name="rubber", colour=(0.035, 0.035, 0.035), specular=0.05, shininess=0.1),
    Material(name="steel", colour=(0.55, 0.57, 0.60), specular=0.8, shininess=0.7),
    Material(name="white", colour=(0.86, 0.87, 0.88), specular=0.3, shininess=0.4),
    Material(name="lens", colour=(0.01, 0.02, 0.05), specular=1.0, shininess=0.95),
    Material(name="light", colour=(0.75, 0.93, 1.0), emission=0.8),
    Material(name="signal", colour=(0.10, 0.75, 0.35), emission=0.6),
)


def _seen(material: str, *shapes: Shape) -> tuple[Geom, ...]:
    return tuple(Geom(shape=shape, material=material) for shape in shapes)


def base() -> tuple[Geom, ...]:
    """Torso, faces, handles, lidar."""
    return _torso() + _face(1.0) + _face(-1.0) + _top() + _hip_mounts()


def _torso() -> tuple[Geom, ...]:
    keel = loft(
        [
            ((-0.235, 0.0, 0.0), section(0.115, -0.070, 0.02, 0.025)),
            ((-0.20, 0.0, 0.0), section(0.150, -0.088, 0.02, 0.03)),
            ((0.20, 0.0, 0.0), section(0.150, -0.088, 0.02, 0.03)),
            ((0.235, 0.0, 0.0), section(0.115, -0.070, 0.02, 0.025)),
        ]
    )
    deck = loft(
        [
            ((-0.242, 0.0, 0.0), section(0.125, 0.012, 0.062, 0.02)),
            ((-0.205, 0.0, 0.0), section(0.162, 0.006, 0.086, 0.035)),
            ((0.205, 0.0, 0.0), section(0.162, 0.006, 0.086, 0.035)),
            ((0.242, 0.0, 0.0), section(0.125, 0.012, 0.062, 0.02)),
        ]
    )
    spine = rounded_box((0.0, 0.0, 0.0), (0.43, 0.062, 0.066), 0.02)
    waist = rounded_box((0.0, 0.0, 0.012), (0.212, 0.160, 0.008), 0.006)
    return _seen("red", deck) + _seen("graphite", keel, spine) + _seen("dark", waist)


def _face(front: float) -> tuple[Geom, ...]:
    """The sensor head at the front (+1) or the back (-1)."""
    mirror = (front, 1.0, 1.0)
    hood = loft(
        [
            ((0.405, 0.0, 0.0), section(0.128, -0.082, 0.082, 0.03)),
            ((0.450, 0.0, 0.0), section(0.134, -0.088, 0.088, 0.035)),
            ((0.487, 0.0, 0.0), section(0.128, -0.080, 0.078, 0.035)),
        ],
        mirror=mirror,
    )
    visor = loft(
        [
            ((0.470, 0.0, 0.0), section(0.112, -0.066, 0.064, 0.03)),
            ((0.507, 0.0, 0.0), section(0.100, -0.054, 0.052, 0.03)),
            ((0.513, 0.0, 0.0), section(0.090, -0.044, 0.042, 0.025)),
        ],
        mirror=mirror,
    )
    bumper = loft(
        [
            ((0.440, 0.0, 0.0), section(0.138, -0.095, -0.062, 0.012)),
            ((0.505, 0.0, 0.0), section(0.118, -0.092, -0.066, 0.012)),
        ],
        mirror=mirror,
    )

    def disc(y: float, z: float, radius: float, out: float) -> Cylinder:
        return Cylinder(start=(front * 0.50, y, z), end=(front * out, y, z), radius=radius)

    lamps = tuple(Sphere(center=(front * 0.507, side * 0.078, 0.018), radius=0.014) for side in (1.0, -1.0))
    return (
        _seen("red", hood)
        + _seen("dark", visor, bumper)
        + _seen("steel", disc(0.0, 0.015, 0.026, 0.520))
        + _seen(
            "lens",
            disc(0.0, 0.015, 0.020, 0.5215),
            disc(0.026, -0.032, 0.010, 0.517),
            disc(-0.026, -0.032, 0.010, 0.517),
        )
        + _seen("light", *lamps)
    )


def _top() -> tuple[Geom, ...]:
    """Handle bars, hatch, lidar in its cage."""
    rails: list[Shape] = []
    for side in (1.0, -1.0):
        y = side * 0.105
        rails.append(Capsule(start=(-0.17, y, 0.118), end=(0.17, y, 0.118), radius=0.010))
        rails += [Capsule(start=(e * 0.17, y, 0.118), end=(e * 0.195, y, 0.078), radius=0.010) for e in (1.0, -1.0)]
    hatch = rounded_box((0.06, 0.0, 0.086), (0.10, 0.062, 0.010), 0.008)
    pack = rounded_box((-0.10, 0.0, 0.092), (0.045, 0.060, 0.018), 0.010)
    x = -0.364
    foundation = Cylinder(start=(x, 0.0, 0.06), end=(x, 0.0, 0.092), radius=0.062)
    drum = Cylinder(start=(x, 0.0, 0.092), end=(x, 0.0, 0.150), radius=0.046)
    band = Cylinder(start=(x, 0.0, 0.108), end=(x, 0.0, 0.138), radius=0.0475)
    cap = Ellipsoid(center=(x, 0.0, 0.178), semi_axes=(0.066, 0.066, 0.014))
    posts = tuple(
        Capsule(start=(x + dx, dy, 0.085), end=(x + dx, dy, 0.176), radius=0.006)
        for dx, dy in ((0.043, 0.043), (-0.043, 0.043), (-0.043, -0.043), (0.043, -0.043))
    )
    antenna = Capsule(start=(-0.215, 0.06, 0.08), end=(-0.225, 0.06, 0.20), radius=0.005)
    return (
        _seen("graphite", *rails, foundation, cap, *posts)
        + _seen("dark", hatch, drum, antenna)
        + _seen("white", pack)
        + _seen("lens", band)
        + _seen("signal", Sphere(center=(0.175, 0.0, 0.088), radius=0.010))
    )


def _hip_mounts() -> tuple[Geom, ...]:
    """The drives that swing the legs sideways."""
    cans: list[Shape] = []
    rings: list[Shape] = []
    for front in (1.0, -1.0):
        for side in (1.0, -1.0):
            y = side * 0.104
            cans.append(Cylinder(start=(front * 0.235, y, 0.0), end=(front * 0.318, y, 0.0), radius=0.054))
            rings.append(Cylinder(start=(front * 0.318, y, 0.0), end=(front * 0.326, y, 0.0), radius=0.047))
    return _seen("dark", *cans) + _seen("steel", *rings)


def hip(front: float, left: float) -> tuple[Geom, ...]:
    """The elbow between the two upper drives."""

    def at(x: float, y: float, z: float = 0.0) -> Vec3:
        return (front * x, left * y, z)

    yoke = loft(
        [
            ((0.026, 0.0, 0.0), section(0.046, -0.046, 0.046, 0.04)),
            ((0.055, 0.006, 0.0), section(0.052, -0.052, 0.052, 0.04)),
            ((0.100, 0.020, 0.0), section(0.038, -0.040, 0.040, 0.03)),
        ],
        mirror=(front, left, 1.0),
    )
    drive = Cylinder(start=at(0.0599, 0.0), end=at(0.0599, 0.068), radius=0.054)
    ring = Cylinder(start=at(0.0599, 0.068), end=at(0.0599, 0.078), radius=0.047)
    return _seen("graphite", yoke) + _seen("dark", drive) + _seen("steel", ring)


def thigh(front: float, left: float) -> tuple[Geom, ...]:
    """Upper leg: a tapered beam between two drives, with a red cover on its outside."""

    def at(x: float, y: float, z: float) -> Vec3:
        return (front * x, left * y, z)

    mirror = (front, left, 1.0)
    beam = loft(
        [
            ((0.0, 0.032, 0.012), section(0.050, -0.026, 0.026, 0.02)),
            ((0.0, 0.032, -0.09), section(0.040, -0.026, 0.026, 0.02)),
            ((0.0, 0.028, -0.25), section(0.033, -0.022, 0.022, 0.018)),
            ((0.0, 0.026, -0.30), section(0.040, -0.020, 0.020, 0.018)),
        ],
        along="z",
        mirror=mirror,
    )
    cover = loft(
        [
            ((0.0, 0.058, -0.055), section(0.030, -0.004, 0.006, 0.005)),
            ((0.0, 0.057, -0.13), section(0.027, -0.004, 0.008, 0.005)),
            ((0.0, 0.050, -0.222), section(0.019, -0.004, 0.006, 0.005)),
        ],
        along="z",
        mirror=mirror,
    )
    head = Cylinder(start=at(0.0, 0.0, 0.0), end=at(0.0, 0.064, 0.0), radius=0.060)
    head_cap = Cylinder(start=at(0.0, 0.064, 0.0), end=at(0.0, 0.070, 0.0), radius=0.046)
    badge = Cylinder(start=at(0.0, 0.070, 0.0), end=at(0.0, 0.072, 0.0), radius=0.020)
    knee = Cylinder(start=at(0.0, -0.004, -0.285), end=at(0.0, 0.078, -0.285), radius=0.052)
    knee_ring = Cylinder(start=at(0.0, 0.078, -0.285), end=at(0.0, 0.086, -0.285), radius=0.045)
    return (
        _seen("graphite", beam, head)
        + _seen("red", cover)
        + _seen("dark", head_cap, knee)
        + _seen("steel", knee_ring, badge)
    )


def shank(front: float, left: float) -> tuple[Geom, ...]:
    """Lower leg: a disc at the knee, a bowed arm, a tapered tube and a rubber foot."""

    def at(x: float, y: float, z: float) -> Vec3:
        return (front * x, left * y, z)

    mirror = (front, left, 1.0)
    arm = loft(
        [
            ((0.0, -0.012, 0.0), section(0.050, -0.050, 0.050, 0.05)),
            ((0.0, 0.030, 0.0), section(0.050, -0.050, 0.050, 0.05)),
            ((0.086, -0.004, -0.016), section(0.024, -0.034, 0.030, 0.02)),
            ((0.086, 0.029, -0.016), section(0.024, -0.034, 0.030, 0.02)),
        ],
        along="y",
        mirror=mirror,
    )
    hub = Cylinder(start=at(0.0, 0.030, 0.0), end=at(0.0, 0.036, 0.0), radius=0.040)
    tube = loft(
        [
            ((0.088, 0.013, -0.03), section(0.026, -0.019, 0.019, 0.018)),
            ((0.090, 0.013, -0.15), section(0.020, -0.016, 0.016, 0.016)),
            ((0.088, 0.013, -0.285), section(0.014, -0.012, 0.012, 0.012)),
        ],
        along="z",
        mirror=mirror,
    )
    cuff = Cylinder(start=at(0.088, 0.013, -0.262), end=at(0.088, 0.013, -0.290), radius=0.020)
    foot = Sphere(center=at(0.08795, 0.01305, -0.31547), radius=0.030)
    return _seen("graphite", arm, tube) + _seen("steel", hub) + _seen("dark", cuff) + _seen("rubber", foot)
