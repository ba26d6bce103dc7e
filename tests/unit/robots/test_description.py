"""A description refuses to be inconsistent, wherever it came from."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.description import ContactSensor, Geom, Sphere
from fleetfoot.robots.shells import loft, rounded_box, section


def test_joint_to_nowhere() -> None:
    joints = (replace(ANYMAL_C.joints[0], child="TAIL"), *ANYMAL_C.joints[1:])
    with pytest.raises(ConfigError, match=r"anymal_c\.joints: got 'TAIL'"):
        replace(ANYMAL_C, joints=joints)


def test_link_of_two_joints() -> None:
    joints = (*ANYMAL_C.joints, replace(ANYMAL_C.joints[0], name="AGAIN"))
    with pytest.raises(ConfigError, match=r"anymal_c\.joints\.child: got 'LF_HIP'"):
        replace(ANYMAL_C, joints=joints)


def test_sensor_of_no_geom() -> None:
    with pytest.raises(ConfigError, match=r"contact_sensors: got 'TAIL'"):
        replace(ANYMAL_C, contact_sensors=(ContactSensor(name="tail", geom="TAIL", kind="found"),))


def test_material_that_is_not_there() -> None:
    painted = Geom(shape=Sphere(center=(0.0, 0.0, 0.0), radius=0.1), material="gold")
    links = (replace(ANYMAL_C.links[0], visual=(painted,)), *ANYMAL_C.links[1:])
    with pytest.raises(ConfigError, match=r"links\.visual: got 'gold'"):
        replace(ANYMAL_C, links=links)


def test_collision_geoms_have_names() -> None:
    nameless = Geom(shape=Sphere(center=(0.0, 0.0, 0.0), radius=0.1))
    links = (replace(ANYMAL_C.links[0], collision=(nameless, nameless)), *ANYMAL_C.links[1:])
    with pytest.raises(ConfigError, match=r"links\.collision: got ''"):
        replace(ANYMAL_C, links=links)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"effort_limit": 0.0}, r"drive: got effort_limit 0\.0, saturation_effort 120\.0; expected 0 < effort_limit"),
        ({"effort_limit": 130.0}, r"effort_limit 130\.0, saturation_effort 120\.0; expected .* <= saturation_effort"),
        ({"effort_limit": math.nan}, "effort_limit nan"),
        ({"saturation_effort": math.inf}, "saturation_effort inf; .* finite"),
        ({"velocity_limit": 0.0}, r"drive\.velocity_limit: got 0\.0; expected above 0"),
        ({"velocity_limit": math.inf}, r"drive\.velocity_limit: got inf"),
    ],
)
def test_limits_that_no_motor_has(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(ANYMAL_C.joints[0].drive, **changes)


def test_shells_keep_to_their_size() -> None:
    points = rounded_box((1.0, 0.0, 0.0), (0.3, 0.2, 0.1), 0.05).points
    assert [max(p[i] for p in points) for i in range(3)] == pytest.approx([1.3, 0.2, 0.1])
    assert [min(p[i] for p in points) for i in range(3)] == pytest.approx([0.7, -0.2, -0.1])
    outline = section(0.1, -0.2, 0.3, 0.05)
    upright = loft([((0.0, 0.0, 0.0), outline), ((0.0, 0.0, 1.0), outline)], along="z", mirror=(1.0, -1.0, 1.0))
    assert max(p[1] for p in upright.points) == pytest.approx(0.2)


def test_a_robot_is_described_without_torch_or_a_simulator() -> None:
    code = "import sys, fleetfoot.robots.anymal_c, fleetfoot.robots.mjcf; print({'torch', 'mujoco'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
