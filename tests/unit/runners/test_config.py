from dataclasses import replace

import pytest

from fleetfoot.algorithms.config import LinearCfg, MixingCfg
from fleetfoot.core.config import apply_overrides, encode, field_docs
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import ActorCfg, MlpCfg
from fleetfoot.runners.config import (
    DistillationGroupsCfg,
    DistillationRunnerCfg,
    ObsGroupsCfg,
    OnPolicyRunnerCfg,
    decode_agent,
    trained_policy,
)

NARROW, WIDE = ActorCfg(network=MlpCfg(hidden_dims=(4,))), ActorCfg(network=MlpCfg(hidden_dims=(400,)))
PPO = OnPolicyRunnerCfg(experiment_name="toy", obs_groups=ObsGroupsCfg(actor=("a", "b")), actor=WIDE)
STUDENT = DistillationRunnerCfg(
    experiment_name="toy",
    teacher_experiment="2024",
    obs_groups=DistillationGroupsCfg(student=("b",), teacher=("a",)),
    student=NARROW,
    teacher=WIDE,
    more_teachers=(NARROW, WIDE),
)


@pytest.mark.parametrize("cfg", [PPO, STUDENT], ids=lambda cfg: cfg.kind)
def test_an_agent_is_told_by_its_kind(cfg):
    assert decode_agent(encode(cfg), where="agent") == cfg


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "destillation",
            "model.pt: agent.kind: got destillation; expected a kind of run. Did you mean 'distillation'?",
        ),
        (None, "model.pt: agent.kind: got None; expected a kind of run. Known: distillation, on_policy."),
    ],
)
def test_an_unknown_kind_is_refused(kind, message):
    with pytest.raises(ConfigError) as caught:
        decode_agent({**encode(PPO), "kind": kind}, where="model.pt: agent")
    assert str(caught.value) == message


def test_the_trained_policy_of_a_run():
    assert trained_policy(PPO) == ("actor", WIDE, ("a", "b"))
    assert trained_policy(STUDENT) == ("student", NARROW, ("b",))


def test_teachers_by_their_paths():
    assert STUDENT.teachers == {"teacher": WIDE, "more_teachers[0]": NARROW, "more_teachers[1]": WIDE}
    assert list(replace(STUDENT, more_teachers=()).teachers) == ["teacher"]


def test_fields_of_a_student_are_set_by_their_paths():
    typed = {
        "teacher_experiment": "007",
        "student.network.hidden_dims": "[64, 32]",
        "algorithm.loss.kind": "huber",
        "algorithm.loss.delta": "0.5",
        "algorithm.mixing.schedule.iterations": "20",
        "obs_groups.student": "[policy]",
    }
    cfg = apply_overrides(STUDENT, typed, where="agent")
    assert cfg.teacher_experiment == "007"
    assert cfg.student.network.hidden_dims == (64, 32)
    assert (cfg.algorithm.loss.kind, cfg.algorithm.loss.delta) == ("huber", 0.5)
    assert cfg.algorithm.mixing == MixingCfg(share=1.0, schedule=LinearCfg(final=0.0, iterations=20))
    assert cfg.obs_groups == DistillationGroupsCfg(student=("policy",), teacher=("a",))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("algorithm.los.kind", "mse", r"^agent\.algorithm\.los: got an unknown field.* Did you mean 'loss'\?"),
        ("algorithm.loss.kind", "l1", r"^agent\.algorithm\.loss\.kind: got 'l1'; expected one of 'mse', 'huber', 'kl'"),
        ("algorithm.loss.delta", "1", r"^agent\.algorithm\.loss\.delta: got an unknown field"),
        ("algorithm.gradient_length", "0", r"^agent\.algorithm\.gradient_length: got 0"),
        ("algorithm.mixing.share", "1.5", r"^agent\.algorithm\.mixing\.share: got 1\.5"),
        ("algorithm.mixing.schedule.final", "1.5", r"^agent\.algorithm\.mixing\.schedule: .*at most 1 in the end"),
        ("algorithm.gamma", "0.9", r"^agent\.algorithm\.gamma: got an unknown field"),
        ("teacher_experiment", "../x", r"^agent\.teacher_experiment: "),
        ("obs_groups.student", "[]", r"^agent\.obs_groups\.student: "),
    ],
)
def test_what_cannot_be_set_is_named(path, value, message):
    with pytest.raises(ConfigError, match=message):
        apply_overrides(STUDENT, {path: value}, where="agent")


def test_fields_of_the_base_keep_their_meaning():
    docs = field_docs(OnPolicyRunnerCfg)
    assert docs["seed"] == "Everything random in the run follows from it."
    assert field_docs(DistillationRunnerCfg)["seed"] == docs["seed"]
    assert "teacher" in field_docs(DistillationRunnerCfg)["more_teachers"]
