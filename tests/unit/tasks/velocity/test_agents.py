"""Every agent fits the environment of its task."""

from dataclasses import replace

import pytest

from fleetfoot.algorithms.build import check_config
from fleetfoot.tasks.velocity.task import TASKS

PAIRS = [(task, agent) for task in TASKS for agent in task.agents]


@pytest.fixture(scope="module")
def env():
    """One environment per task, made when it is first asked for."""
    made = {}

    def make(task):
        if task.name not in made:
            cfg = task.env_cfg()
            made[task.name] = task.make_env(replace(cfg, scene=replace(cfg.scene, num_envs=8)), device="cpu", seed=0)
        return made[task.name]

    yield make
    for each in made.values():
        each.close()


@pytest.mark.parametrize(("task", "agent"), PAIRS, ids=[f"{task.name}-{agent}" for task, agent in PAIRS])
def test_an_agent_fits_its_task(env, task, agent):
    check_config(env(task), task.agents[agent]())


def test_the_student_of_anymal_rough_takes_what_its_teacher_was_trained_on(env):
    _, rough, blind = TASKS
    teacher, student = rough.agents["ppo"](), blind.agents["distillation"]()
    assert student.teacher == teacher.actor
    assert student.teacher_experiment == teacher.experiment_name
    sizes = env(blind).observation_spec
    assert student.obs_groups.teacher == teacher.obs_groups.actor
    assert [sizes[group] for group in teacher.obs_groups.actor] == [(48,), (187,)]
    assert [sizes[group] for group in student.obs_groups.student] == [(45,)]
    assert blind.agents["distillation_finetune"]().actor == student.student
