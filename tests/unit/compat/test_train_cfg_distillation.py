import copy
import json
from pathlib import Path

import pytest

from fleetfoot.algorithms.config import DistillationCfg, HuberLossCfg, MseLossCfg
from fleetfoot.compat.migration import migrate_isaaclab_cfg, migrate_train_cfg
from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    CnnCfg,
    GaussianCfg,
    GruCfg,
    LstmCfg,
    MlpCfg,
    StateDependentGaussianCfg,
)
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg

DATA = Path(__file__).parents[2] / "data" / "isaaclab_rsl_rl_configs.json"
ISAACLAB = json.loads(DATA.read_text(encoding="utf-8"))["configs"]


@pytest.fixture
def theirs():
    """The smallest config that rsl_rl takes."""
    return {
        "num_steps_per_env": 30,
        "save_interval": 50,
        "obs_groups": {"student": ["policy"], "teacher": ["policy", "scan"]},
        "algorithm": {"class_name": "Distillation"},
        "student": {"class_name": "MLPModel", "distribution_cfg": {"class_name": "GaussianDistribution"}},
        "teacher": {"class_name": "MLPModel"},
    }


def put(cfg, path, value):
    *parents, key = path.split(".")
    for parent in parents:
        cfg = cfg.setdefault(parent, {})
    cfg[key] = value


def get(cfg, path):
    for name in path.split("."):
        cfg = getattr(cfg, name)
    return cfg


def test_what_is_not_set_is_what_rsl_rl_has_by_default(theirs):
    network = MlpCfg(hidden_dims=(256, 256, 256), activation="elu")
    noise = GaussianCfg(init_std=1.0, std_type="scalar", std_range=(1e-6, 1e6), learn_std=True)
    assert translate_train_cfg(theirs) == DistillationRunnerCfg(
        experiment_name="rsl_rl",
        num_steps_per_env=30,
        save_interval=50,
        obs_groups=DistillationGroupsCfg(student=("policy",), teacher=("policy", "scan")),
        algorithm=DistillationCfg(
            num_learning_epochs=1,
            num_mini_batches=1,
            gradient_length=15,
            window_remainder="next_pass",
            memory_after_update="learning",
            loss=MseLossCfg(),
            learning_rate=1e-3,
            max_grad_norm=None,
            mixing=None,
        ),
        student=ActorCfg(network=network, distribution=noise, obs_normalization=False),
        teacher=ActorCfg(network=network, distribution=noise, obs_normalization=False),
    )


def test_what_fleetfoot_knows_better_is_left_to_it_on_request(theirs):
    ours = translate_train_cfg(theirs, same_numbers=False).algorithm
    assert (ours.window_remainder, ours.memory_after_update) == ("shorter", "acting")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("num_steps_per_env", 45, "num_steps_per_env"),
        ("max_iterations", 11, "max_iterations"),
        ("seed", 3, "seed"),
        ("experiment_name", "walk", "experiment_name"),
        ("algorithm.num_learning_epochs", 2, "algorithm.num_learning_epochs"),
        ("algorithm.gradient_length", 10, "algorithm.gradient_length"),
        ("algorithm.learning_rate", 3e-4, "algorithm.learning_rate"),
        ("algorithm.max_grad_norm", 0.7, "algorithm.max_grad_norm"),
        ("student.hidden_dims", (32, 16), "student.network.hidden_dims"),
        ("student.obs_normalization", True, "student.obs_normalization"),
        ("student.distribution_cfg.init_std", 0.1, "student.distribution.init_std"),
        ("student.distribution_cfg.std_type", "log", "student.distribution.std_type"),
        ("teacher.hidden_dims", (8,), "teacher.network.hidden_dims"),
        ("teacher.obs_normalization", True, "teacher.obs_normalization"),
    ],
)
def test_a_key_says_the_same_as_a_field(theirs, path, value, field):
    before = translate_train_cfg(theirs)
    put(theirs, path, value)
    after = translate_train_cfg(theirs)
    assert get(after, field) == value
    assert get(before, field) != value


@pytest.mark.parametrize(("name", "ours"), [("mse", MseLossCfg()), ("huber", HuberLossCfg(delta=1.0))])
def test_losses(theirs, name, ours):
    theirs["algorithm"]["loss_type"] = name
    assert translate_train_cfg(theirs).algorithm.loss == ours


def test_optimisers(theirs):
    theirs["algorithm"]["optimizer"] = "RMSprop"
    assert translate_train_cfg(theirs).algorithm.optimizer == "rmsprop"


def test_a_norm_of_zero_clips_nothing(theirs):
    theirs["algorithm"]["max_grad_norm"] = 0.0
    assert translate_train_cfg(theirs).algorithm.max_grad_norm is None


def test_steps_that_teach_nothing_are_said(theirs):
    theirs["algorithm"] |= {"gradient_length": 7, "num_learning_epochs": 2}
    notes = []
    translate_train_cfg(theirs, report=notes.append)
    assert notes == [
        "train_cfg.algorithm.gradient_length: the last 4 of the 60 steps of an update teach nothing, as in rsl_rl "
        "(window_remainder)."
    ]
    translate_train_cfg(theirs, same_numbers=False, report=pytest.fail)


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_networks_of_any_kind(theirs, name):
    said = [
        ({"class_name": "RNNModel", "rnn_type": "gru", "rnn_hidden_dim": 12}, "memory", GruCfg(hidden_dim=12)),
        ({"class_name": "RNNModel"}, "memory", LstmCfg(hidden_dim=256)),
        (
            {"class_name": "CNNModel", "cnn_cfg": {"output_channels": [4], "kernel_size": 3}},
            "cnn",
            CnnCfg(output_channels=(4,), kernel_size=(3,)),
        ),
        ({"distribution_cfg": {"class_name": "BetaDistribution"}}, "distribution", BetaCfg()),
        (
            {"distribution_cfg": {"class_name": "HeteroscedasticGaussianDistribution", "init_std": 0.4}},
            "distribution",
            StateDependentGaussianCfg(init_std=0.4),
        ),
    ]
    for change, field, ours in said:
        cfg = translate_train_cfg(theirs | {name: theirs[name] | change})
        assert getattr(getattr(cfg, name), field) == ours


@pytest.mark.parametrize("name", ["student", "teacher"])
@pytest.mark.parametrize("distribution", ["GaussianDistribution", "HeteroscedasticGaussianDistribution"])
def test_without_noise_a_policy_has_the_least_that_there_is(theirs, name, distribution):
    theirs[name]["distribution_cfg"] = {"class_name": distribution, "init_std": 0.0}
    assert getattr(translate_train_cfg(theirs), name).distribution.init_std == 1e-6


def test_sets_that_are_not_named_are_filled_as_there_with_a_note(theirs):
    theirs["obs_groups"] = {}
    notes = []
    spec = {"policy": (3,), "teacher": (4,)}
    ours = translate_train_cfg(theirs, observation_spec=spec, report=notes.append)
    assert ours.obs_groups == DistillationGroupsCfg(student=("policy",), teacher=("teacher",))
    assert notes == [
        f"train_cfg.obs_groups.{name} is not set: it is taken to be ['{group}'], as rsl_rl does."
        for name, group in (("student", "policy"), ("teacher", "teacher"))
    ]


def test_a_width_of_minus_one_is_that_of_the_input(theirs):
    theirs["teacher"]["hidden_dims"] = theirs["student"]["hidden_dims"] = [-1, 8]
    ours = translate_train_cfg(theirs, observation_spec={"policy": (12,), "scan": (5,)})
    assert (ours.student.network.hidden_dims, ours.teacher.network.hidden_dims) == ((12, 8), (17, 8))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("class_name", "OnPolicyRunner", r"train_cfg\.class_name: got 'OnPolicyRunner'; expected DistillationRunner"),
        ("algorithm.class_name", "my.module:Dagger", r"got 'my\.module:Dagger'; expected PPO or Distillation"),
        ("algorithm.gradient_len", 3, r"algorithm\.gradient_len: got an unknown key.*'gradient_length'"),
        ("algorithm.num_mini_batches", 4, r"train_cfg\.algorithm\.num_mini_batches: got an unknown key"),
        ("algorithm.gradient_length", 0, r"train_cfg\.algorithm\.gradient_length: got 0"),
        ("algorithm.loss_type", "l1", r"train_cfg\.algorithm\.loss_type: got 'l1'; expected one of 'mse', 'huber'"),
        ("algorithm.rnd_cfg", {"weight": 1.0}, r"train_cfg\.algorithm\.rnd_cfg: .*expected None"),
        ("algorithm.symmetry_cfg", {"use_mirror_loss": True}, r"train_cfg\.algorithm\.symmetry_cfg: .*expected None"),
        ("algorithm.max_grad_norm", -1.0, r"train_cfg\.algorithm\.max_grad_norm: got -1\.0"),
        ("obs_groups.critic", ["policy"], r"train_cfg\.obs_groups\.critic: got an unknown key"),
        ("student.distribution_cfg", None, r"train_cfg\.student\.distribution_cfg: got none"),
        ("student.distribution_cfg.init_std", -0.1, r"train_cfg\.student\.distribution_cfg\.init_std: got -0\.1"),
        ("teacher.rnn_type", "gru", r"train_cfg\.teacher\.rnn_type: got an unknown key"),
        ("actor", {"class_name": "MLPModel"}, r"train_cfg\.actor: got an unknown key"),
        ("policy", {"class_name": "StudentTeacher"}, r"train_cfg\.policy: got a setting of rsl_rl 3\.x"),
    ],
)
def test_what_cannot_be_had_is_named(theirs, path, value, message):
    put(theirs, path, value)
    with pytest.raises(ConfigError, match=message):
        translate_train_cfg(theirs, report=lambda note: None)


@pytest.mark.parametrize("key", ["num_steps_per_env", "save_interval", "algorithm", "student", "teacher"])
def test_what_has_no_default_is_missed(theirs, key):
    del theirs[key]
    with pytest.raises(ConfigError, match=rf"train_cfg\.{key}: got nothing"):
        translate_train_cfg(theirs)


@pytest.mark.parametrize("teacher_recurrent", [False, True])
def test_a_config_of_version_3(theirs, teacher_recurrent):
    policy = {
        "class_name": "StudentTeacherRecurrent",
        "student_hidden_dims": [8],
        "teacher_hidden_dims": [16],
        "rnn_type": "gru",
        "rnn_hidden_dim": 4,
        "teacher_recurrent": teacher_recurrent,
        "init_noise_std": 0.2,
    }
    kept = {key: value for key, value in theirs.items() if key not in ("student", "teacher")}
    old = kept | {"policy": policy, "obs_groups": {"policy": ["policy"], "teacher": ["policy", "scan"]}}
    ours = translate_train_cfg(migrate_train_cfg(old, "3.1.2"))
    memory = GruCfg(hidden_dim=4)
    assert ours.obs_groups == DistillationGroupsCfg(student=("policy",), teacher=("policy", "scan"))
    assert ours.student == ActorCfg(
        network=MlpCfg(hidden_dims=(8,)), memory=memory, distribution=GaussianCfg(init_std=0.2)
    )
    assert ours.teacher == ActorCfg(
        network=MlpCfg(hidden_dims=(16,)),
        memory=memory if teacher_recurrent else None,
        distribution=GaussianCfg(init_std=1e-6),
    )


def test_a_config_of_version_4(theirs):
    old = copy.deepcopy(theirs)
    del old["student"]["distribution_cfg"]
    noise = {"stochastic": True, "init_noise_std": 0.1, "noise_std_type": "log", "state_dependent_std": False}
    old["student"] |= noise
    old["teacher"] |= {"stochastic": False}
    ours = translate_train_cfg(migrate_train_cfg(old, "4.0.1"))
    assert ours.student.distribution == GaussianCfg(init_std=0.1, std_type="log")
    assert ours.teacher == ActorCfg(network=MlpCfg(hidden_dims=(256, 256, 256)))


def test_the_recurrent_student_of_isaac_lab():
    (cfg,) = (
        entry["config"]
        for entry in ISAACLAB
        if entry["config"]["class_name"] == "DistillationRunner" and "rnn_type" in entry["config"]["student"]
    )
    noise = GaussianCfg(init_std=0.1)
    network, memory = MlpCfg(hidden_dims=(128, 128, 128)), LstmCfg(hidden_dim=256, num_layers=1)
    assert translate_train_cfg(migrate_isaaclab_cfg(cfg), report=pytest.fail) == DistillationRunnerCfg(
        experiment_name="anymal_d_flat",
        num_steps_per_env=120,
        max_iterations=300,
        save_interval=50,
        wandb_project="isaaclab",
        obs_groups=DistillationGroupsCfg(),
        algorithm=DistillationCfg(num_learning_epochs=2, window_remainder="next_pass", memory_after_update="learning"),
        student=ActorCfg(network=network, memory=memory, distribution=noise),
        teacher=ActorCfg(network=network, memory=memory, distribution=GaussianCfg(init_std=1e-6)),
    )
