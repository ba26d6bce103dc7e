from dataclasses import replace

import pytest

from fleetfoot.cli.arguments import parse
from fleetfoot.cli.plan import make_plan
from fleetfoot.core.config import encode
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.models.config import ActorCfg, MlpCfg
from fleetfoot.runners.checkpoint import Checkpoint, save_checkpoint
from fleetfoot.tasks.registry import find_task

TASK = find_task("Cartpole")
STUDENT = ("--task", "Cartpole", "--agent", "distillation")


def save(log_root, agent_name: str, run: str, agent, name: str = "model_7.pt"):
    metadata = {"task": "Cartpole", "agent_name": agent_name, "iteration": 7, "env": encode(TASK.env_cfg())}
    path = log_root / agent.experiment_name / run / "checkpoints" / name
    save_checkpoint(path, Checkpoint(metadata={**metadata, "agent": encode(agent)}, state={}))
    return path


@pytest.fixture
def log_root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def teacher(log_root):
    """A teacher whose network is not the one that the student's agent expects."""
    ppo = TASK.agents["ppo"]()
    wide = replace(ppo, actor=ActorCfg(network=MlpCfg(hidden_dims=(99,)), obs_normalization=True))
    return save(log_root, "ppo", "2026-01-02_00-00-00", wide)


@pytest.fixture
def student(log_root):
    return save(log_root, "distillation", "2026-01-03_00-00-00", TASK.agents["distillation"]())


def plan(log_root, *words: str, command="train"):
    return make_plan(parse(command, [*words, "--log_root", str(log_root)]))


def refusal(log_root, *words: str) -> str:
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        plan(log_root, *words)
    return str(caught.value)


@pytest.mark.parametrize("which", ["latest", "path", "folder"])
def test_a_teacher_is_found_and_its_network_is_that_of_its_checkpoint(log_root, teacher, which):
    selector = {"latest": "latest", "path": str(teacher), "folder": str(teacher.parents[1])}[which]
    made = plan(log_root, *STUDENT, "--teacher", selector)
    assert made.teachers == (teacher,)
    assert made.agent_cfg.teacher == ActorCfg(network=MlpCfg(hidden_dims=(99,)), obs_normalization=True)
    assert made.agent_cfg.student == TASK.agents["distillation"]().student
    assert made.checkpoint is None


def test_the_best_teacher_may_be_meant(log_root, teacher):
    best = save(log_root, "ppo", "2026-01-02_00-00-00", TASK.agents["ppo"](), "best.pt")
    assert plan(log_root, *STUDENT, "--teacher", "best").teachers == (best,)


def test_a_student_may_teach(log_root, student):
    made = plan(log_root, *STUDENT, "--teacher", str(student))
    assert made.agent_cfg.teacher == TASK.agents["distillation"]().student


def test_each_time_it_is_typed_is_one_more_teacher(log_root, teacher, student):
    made = plan(log_root, *STUDENT, "--teacher", "latest", "--teacher", str(student))
    assert made.teachers == (teacher, student)
    assert made.agent_cfg.teacher.network.hidden_dims == (99,)
    assert made.agent_cfg.more_teachers == (TASK.agents["distillation"]().student,)


def test_the_experiment_of_the_teachers_can_be_named(log_root, student):
    made = plan(log_root, *STUDENT, "agent.teacher_experiment=cartpole_student", "--teacher", "latest")
    assert made.teachers == (student,)


def test_without_a_name_it_is_that_of_the_run(log_root, student):
    made = plan(log_root, *STUDENT, "agent.teacher_experiment=", "--teacher", "latest")
    assert made.teachers == (student,)


def test_what_is_typed_of_a_teachers_network_is_set_on_top(log_root, teacher):
    made = plan(log_root, *STUDENT, "--teacher", "latest", "agent.teacher.network.hidden_dims=[5]")
    assert made.agent_cfg.teacher == ActorCfg(network=MlpCfg(hidden_dims=(5,)), obs_normalization=True)


def test_a_run_that_goes_on_holds_its_teacher(log_root, student):
    made = plan(log_root, *STUDENT, "--resume")
    assert (made.checkpoint, made.teachers) == (student, ())


@pytest.mark.parametrize("command", ["play", "evaluate", "export"])
def test_using_a_student_takes_no_teacher_and_no_agent(log_root, student, command):
    made = plan(log_root, "--task", "Cartpole", "--checkpoint", str(student), command=command)
    assert made.agent_name == "distillation"
    assert made.agent_cfg == TASK.agents["distillation"]()


def test_an_actor_begins_with_a_student(log_root, student):
    made = plan(log_root, "--task", "Cartpole", "--agent", "finetune", "--checkpoint", str(student))
    assert (made.checkpoint, made.agent_cfg) == (student, TASK.agents["finetune"]())


def test_what_cannot_be_meant_is_said(log_root, teacher, student):
    assert refusal(log_root, *STUDENT) == (
        f"--teacher: got nothing; expected latest or best of the runs in {log_root}/cartpole, "
        "or a path to a file or a run folder. Train a teacher first."
    )
    assert refusal(log_root, "--task", "Cartpole", "--teacher", "latest") == (
        "--teacher: got latest; expected nothing: this agent has no teacher. Choose one that has: --agent distillation."
    )
    assert refusal(log_root, *STUDENT, "--resume", "--teacher", "latest") == (
        "--teacher: got latest; expected nothing with --resume: the checkpoint holds its teacher."
    )
    assert refusal(log_root, *STUDENT, "--teacher", "latest", "agent.teacher_experiment=nowhere") == (
        f"--teacher latest: got no checkpoint in {log_root}/nowhere; expected at least one run with a checkpoint. "
        "Train first, or give a path."
    )
    assert refusal(log_root, *STUDENT, "--teacher", "gone.pt").startswith(
        "gone.pt: got no file; expected a checkpoint."
    )


def test_an_agent_cannot_become_one_of_another_kind(log_root):
    assert refusal(log_root, "--task", "Cartpole", "agent.kind=distillation") == (
        "agent.kind: got distillation; expected on_policy, which the agent is. Choose another agent with --agent."
    )


@pytest.mark.parametrize("which", ["latest", "path"])
def test_a_critic_to_begin_with_is_found(log_root, teacher, student, which):
    selector = "latest" if which == "latest" else str(teacher)
    words = ["--task", "Cartpole", "--agent", "finetune", "--checkpoint", str(student), "--critic", selector]
    made = plan(log_root, *words)
    assert (made.critic, made.checkpoint) == (teacher, student)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (STUDENT, "--critic: got latest; expected nothing: this agent has no critic."),
        (
            ("--task", "Cartpole", "--agent", "ppo", "--resume"),
            "--critic: got latest; expected nothing with --resume: the checkpoint holds its critic.",
        ),
    ],
    ids=["student", "resume"],
)
def test_a_critic_where_none_can_be_taken(log_root, teacher, words, message):
    also = ("--teacher", str(teacher)) if words is STUDENT else ()
    assert refusal(log_root, *words, *also, "--critic", "latest") == message
