"""A teacher, its student, and the student's policy gone on with: as a user types it."""

import json

import pytest
import torch

from fleetfoot.runners.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

SMALL = ("--task", "Cartpole", "--num_envs", "64", "--log_root", "logs", "--no_final_video")
STUDENT = (*SMALL, "--agent", "distillation")
# Nobody but the student acts, it sees what its teacher saw, and it explores little: what it is told does not change.
IMITATE = (
    "agent.algorithm.mixing=null",
    "agent.obs_groups.student=[policy]",
    "agent.student.distribution.init_std=0.05",
)


def run_of(cwd, experiment: str):
    (run,) = (cwd / "logs" / experiment).iterdir()
    return run


def metrics(run) -> list[dict]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "iteration" in row]


@pytest.fixture(scope="module")
def taught(script, tmp_path_factory):
    """A folder with a teacher of 40 iterations, and a student of 60 that sees what it saw."""
    cwd = tmp_path_factory.mktemp("taught")
    for words in (
        [*SMALL, "--max_iterations", "40"],
        [*STUDENT, *IMITATE, "--teacher", "latest", "--max_iterations", "60"],
    ):
        done = script("train", *words, cwd=cwd)
        assert done.returncode == 0, done.stderr
    return cwd


def test_a_student_becomes_like_its_teacher(taught):
    losses = [row["Loss/behavior"] for row in metrics(run_of(taught, "cartpole_student"))]
    assert sum(losses[:5]) > 20 * sum(losses[-5:])


def test_its_run_says_who_taught_it_and_holds_the_teacher(taught):
    (teacher,) = (taught / "logs" / "cartpole").glob("*/checkpoints/model_40.pt")
    student = load_checkpoint(run_of(taught, "cartpole_student") / "checkpoints" / "model_60.pt")
    trained = load_checkpoint(teacher).state["algorithm"]["actor"]
    kept = student.state["algorithm"]["teacher"]
    assert all(torch.equal(value, trained[name]) for name, value in kept.items())
    assert student.metadata["agent"]["kind"] == "distillation"
    assert student.state["algorithm"]["teacher_sources"] == (str(teacher.relative_to(taught)),)


def test_it_goes_on_without_being_told_who_taught_it(script, taught):
    words = [*SMALL, "--agent", "distillation", "--resume", "--max_iterations", "62"]
    done = script("train", *words, cwd=taught)
    assert done.returncode == 0, done.stderr
    assert [row["iteration"] for row in metrics(run_of(taught, "cartpole_student"))][-2:] == [61, 62]


def test_it_is_evaluated_and_exported(script, taught, tmp_path):
    run = run_of(taught, "cartpole_student")
    words = ["--task", "Cartpole", "--checkpoint", str(run)]
    done = script("evaluate", *words, "--seconds", "0.5", cwd=taught)
    assert done.returncode == 0, done.stderr
    assert "upright" in done.stdout
    done = script("export", *words, "--output", str(tmp_path), cwd=taught)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"policy.onnx", "policy.pt"}


def test_ppo_goes_on_with_its_policy(script, taught):
    run, teacher = run_of(taught, "cartpole_student"), run_of(taught, "cartpole")
    words = [*SMALL, "--agent", "finetune", "--checkpoint", str(run), "--max_iterations", "3"]
    words += ["agent.algorithm.critic_warmup=2", "agent.obs_groups.actor=[policy]", "agent.save_interval=1"]
    done = script("train", *words, cwd=taught)
    assert done.returncode == 0, done.stderr
    assert "the critic begins from nothing" in done.stdout
    assert f"--critic {teacher.relative_to(taught)}/checkpoints/model_40.pt takes" in done.stdout
    folder = run_of(taught, "cartpole_finetuned") / "checkpoints"
    begun, warm, tuned = (load_checkpoint(folder / f"model_{i}.pt").state["algorithm"] for i in (1, 2, 3))
    lent = load_checkpoint(max((run / "checkpoints").glob("model_*.pt"))).state["algorithm"]["student"]
    for name, value in lent.items():
        assert torch.equal(begun["actor"][name], value)
        assert torch.equal(warm["actor"][name], value)
        assert not torch.equal(tuned["actor"][name], value)
    assert not torch.equal(begun["critic"]["network.layers.0.weight"], warm["critic"]["network.layers.0.weight"])


def test_ppo_goes_on_with_the_critic_of_its_teacher(script, taught):
    run, teacher = run_of(taught, "cartpole_student"), run_of(taught, "cartpole")
    words = [*SMALL, "--agent", "finetune", "--checkpoint", str(run), "--critic", "latest", "--experiment_name", "lent"]
    words += ["--max_iterations", "1", "agent.algorithm.learning_rate=1e-9", "agent.obs_groups.actor=[policy]"]
    done = script("train", *words, "agent.algorithm.schedule.kind=fixed", cwd=taught)
    assert done.returncode == 0, done.stderr
    assert "begins from nothing" not in done.stdout
    begun = run_of(taught, "lent") / "checkpoints" / "model_1.pt"
    lent = load_checkpoint(max((teacher / "checkpoints").glob("model_*.pt"))).state["algorithm"]["critic"]
    critic = load_checkpoint(begun).state["algorithm"]["critic"]
    for name in ("network.layers.0.weight", "network.layers.0.bias"):
        torch.testing.assert_close(critic[name], lent[name], atol=1e-6, rtol=0.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--teacher", "latest", "agent.obs_groups.teacher=[sensors]"],
            "agent.obs_groups.teacher: got 3 numbers; expected 4, which the teacher in ",
        ),
        (
            ["--teacher", "latest", "env.effort_scale=50"],
            "a teacher whose actions have scale [100.0]; expected [50.0], as here.",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(script, taught, words, message):
    before = sorted(taught.rglob("*"))
    done = script("train", *STUDENT, *words, cwd=taught)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(taught.rglob("*")) == before
