"""Every environment that there is keeps the contract, also while it is filmed."""

from contextlib import closing
from dataclasses import replace

import pytest

from fleetfoot.core.check import check_vec_env
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import DescribedEnv, StatefulEnv, VecEnv
from fleetfoot.envs.video import VideoRecorder
from fleetfoot.tasks.registry import all_tasks

TASKS = all_tasks()


@pytest.fixture(params=TASKS)
def env(request):
    task = TASKS[request.param]
    cfg = task.env_cfg()
    env = task.make_env(replace(cfg, scene=replace(cfg.scene, num_envs=6)), device="cpu", seed=1)
    yield env
    env.close()


def test_the_toy_environment():
    check_vec_env(ToyEnv(6))


def test_every_task(env):
    check_vec_env(env)


def test_every_task_can_be_resumed_and_described(env):
    assert isinstance(env, VecEnv)
    assert isinstance(env, StatefulEnv)
    assert isinstance(env, DescribedEnv)


@pytest.mark.slow
def test_every_task_while_it_is_filmed(env, tmp_path):
    said: list[str] = []
    with closing(VideoRecorder(env, folder=tmp_path, length=4, interval=10_000, report=said.append)) as recorder:
        check_vec_env(recorder, num_steps=32)
        assert isinstance(recorder, StatefulEnv)
