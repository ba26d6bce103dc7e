"""Our tasks by Gymnasium's names: registered by one import, which imports neither torch nor a simulator."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import fleetfoot.gymnasium
from fleetfoot.envs.gym.vector import FleetfootVectorEnv
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.registry import task_names

ASK = """
import sys, gymnasium, fleetfoot.gymnasium
print("torch" in sys.modules, "mujoco" in sys.modules, all(i in gymnasium.registry for i in fleetfoot.gymnasium.ids()))
"""


def test_importing_registers_every_task_and_loads_nothing_heavy():
    ran = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False", "True"]
    assert fleetfoot.gymnasium.ids() == [f"fleetfoot/{name}-v0" for name in task_names()]


@pytest.mark.parametrize("task_id", [i for i in fleetfoot.gymnasium.ids() if "Camera" not in i and "Rough" not in i])
def test_every_task_is_made(task_id):
    with closing(gymnasium.make_vec(task_id, num_envs=4)) as envs:
        assert isinstance(envs, FleetfootVectorEnv)
        assert envs.num_envs == 4
        assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
        assert envs.spec is not None
        assert envs.spec.id == task_id
        obs, _ = envs.reset(seed=1)
        assert obs in envs.observation_space
        assert envs.step(np.zeros((4, envs.single_action_space.shape[0]), np.float32))[0] in envs.observation_space


@pytest.mark.slow
@pytest.mark.parametrize("task_id", [i for i in fleetfoot.gymnasium.ids() if "Camera" in i or "Rough" in i])
def test_every_large_task_is_made(task_id):
    test_every_task_is_made(task_id)


@pytest.mark.slow
def test_what_is_handed_out_is_what_the_policy_reads():
    with closing(gymnasium.make_vec("fleetfoot/Anymal-Rough-v0", num_envs=2)) as envs:
        assert {name: box.shape for name, box in envs.single_observation_space.items()} == {
            "policy": (48,),
            "height_scan": (187,),
        }
    with closing(gymnasium.make_vec("fleetfoot/Anymal-Rough-Blind-v0", num_envs=2)) as envs:
        assert envs.single_observation_space.shape == (45,)


def test_what_make_vec_takes_besides():
    options = {"observations": ["policy", "sensors"], "env": {"episode_length_s": "0.1"}, "max_action": 2.0, "seed": 3}
    with closing(gymnasium.make_vec("fleetfoot/Cartpole-v0", num_envs=2, **options)) as envs:
        assert envs.unwrapped.env.max_episode_length == 6
        assert list(envs.single_observation_space) == ["policy", "sensors"]
        assert envs.single_action_space.high == 2.0
        first, _ = envs.reset()
        again = gymnasium.make_vec(envs.spec)
        assert np.array_equal(again.reset()[0]["policy"], first["policy"]), "its spec makes it again, seed and all"
        again.close()


def test_without_a_seed_nobody_knows_it():
    def first() -> np.ndarray:
        with closing(gymnasium.make_vec("fleetfoot.gymnasium:fleetfoot/Cartpole-v0")) as envs:
            return envs.reset()[0]

    assert not np.array_equal(first(), first())


def test_what_is_wrong_is_said():
    with pytest.raises(
        ConfigError, match=r"env\.episode_length: got an unknown field.*Did you mean 'episode_length_s'"
    ):
        gymnasium.make_vec("fleetfoot/Cartpole-v0", env={"episode_length": "1"})
