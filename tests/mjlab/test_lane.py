"""What the lane stands on: fleetfoot of this clone, learning beside a MuJoCo that is mjlab's own."""

from importlib.metadata import version
from pathlib import Path

import mjlab.tasks
import mujoco

import fleetfoot
from fleetfoot.runners.on_policy import OnPolicyRunner


def test_mjlab_keeps_the_mujoco_that_it_was_made_for() -> None:
    assert version("mjlab") == "1.6.0"
    assert mujoco.__version__.startswith("3.11.")


def test_fleetfoot_is_that_of_this_clone() -> None:
    assert Path(fleetfoot.__file__).is_relative_to(Path(__file__).parents[2])
    assert OnPolicyRunner.__module__ == "fleetfoot.runners.on_policy"
    assert mjlab.tasks.__file__
