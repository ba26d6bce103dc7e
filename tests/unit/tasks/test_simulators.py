"""Which simulator a task is looked for in."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.tasks.env_cfgs import DATACLASSES
from fleetfoot.tasks.registry import find_task
from fleetfoot.tasks.simulators import MUJOCO, Request, SimName, choose_task, find_simulators

REQUEST = Request()


def test_the_embedded_one_has_the_tasks_of_the_registry():
    simulator, task = choose_task("Cartpole", "mujoco", REQUEST)
    assert (simulator, task) == (MUJOCO, find_task("Cartpole"))
    assert not simulator.takes_words


def test_it_is_asked_last():
    assert find_simulators()[-1] is MUJOCO


@pytest.mark.parametrize("sim", ["auto", "mujoco"])
def test_an_unknown_task_offers_the_nearest(sim):
    with pytest.raises(ConfigError, match="Did you mean 'Anymal-Flat'"):
        choose_task("Anymal-Flatt", sim, REQUEST)


def test_one_that_is_not_installed_is_named():
    sims: tuple[SimName, ...] = ("isaaclab", "mjlab")  # which need different Pythons or MuJoCos: never both
    absent = next(sim for sim in sims if find_spec(sim) is None)
    with pytest.raises(ConfigError, match=f"--sim: got {absent}; expected a simulator that is installed: no {absent}"):
        choose_task("Cartpole", absent, REQUEST)
    assert absent not in sys.modules


def test_configs_of_ours_are_changed_written_and_read_back():
    cfg = find_task("Cartpole").env_cfg()
    other = DATACLASSES.override(cfg, {"scene.num_envs": "7", "seed": "3"})
    assert (DATACLASSES.num_envs(other), DATACLASSES.seed(other), DATACLASSES.seed(cfg)) == (7, 3, None)
    assert DATACLASSES.decode(cfg, DATACLASSES.encode(other), where="env") == other


def test_a_wrong_field_is_named():
    with pytest.raises(ConfigError, match=r"env\.scene\.num_env: got an unknown field"):
        DATACLASSES.override(find_task("Cartpole").env_cfg(), {"scene.num_env": "7"})
