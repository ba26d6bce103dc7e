import copy

import pytest

from fleetfoot.compat.migration import migrate_isaaclab_cfg, migrate_train_cfg
from fleetfoot.errors import ConfigError

RUNNER = {"num_steps_per_env": 24, "save_interval": 50, "algorithm": {"class_name": "PPO"}}
POLICY = {
    "class_name": "ActorCritic",
    "init_noise_std": 0.8,
    "actor_hidden_dims": [32, 16],
    "critic_hidden_dims": [64],
    "activation": "relu",
}
GAUSSIAN = {"class_name": "GaussianDistribution", "init_std": 0.8, "std_type": "scalar"}
ACTOR = {
    "class_name": "MLPModel",
    "hidden_dims": [32, 16],
    "activation": "relu",
    "obs_normalization": False,
    "distribution_cfg": GAUSSIAN,
}
CRITIC = {"class_name": "MLPModel", "hidden_dims": [64], "activation": "relu", "obs_normalization": False}


def v3(obs_groups=None, **policy):
    return RUNNER | {"policy": POLICY | policy, "obs_groups": obs_groups or {}}


def test_a_policy_of_version_3_becomes_actor_and_critic():
    cfg = migrate_train_cfg(v3({"policy": ["policy"], "critic": ["policy", "scan"]}), "3.1.2")
    sets = {"actor": ["policy"], "critic": ["policy", "scan"]}
    assert cfg == RUNNER | {"actor": ACTOR, "critic": CRITIC, "obs_groups": sets}


def test_what_is_migrated_is_not_changed():
    cfg = v3()
    before = copy.deepcopy(cfg)
    migrate_train_cfg(cfg, "3")
    assert cfg == before


def test_defaults_of_version_3_are_written_out():
    cfg = migrate_train_cfg(RUNNER | {"policy": {}, "obs_groups": {}}, "3.0")
    assert cfg["actor"]["hidden_dims"] == cfg["critic"]["hidden_dims"] == [256, 256, 256]
    assert cfg["actor"]["distribution_cfg"] == GAUSSIAN | {"init_std": 1.0}
    assert cfg["actor"]["activation"] == "elu"


@pytest.mark.parametrize(
    ("said", "actor", "critic"),
    [
        ({"empirical_normalization": True}, True, True),
        ({"empirical_normalization": None}, False, False),
        ({"empirical_normalization": True, "critic_obs_normalization": False}, True, False),
        ({"actor_obs_normalization": True}, True, False),
    ],
)
def test_normalisation_of_one_network_goes_before_that_of_both(said, actor, critic):
    runner = {key: said.pop(key) for key in list(said) if key == "empirical_normalization"}
    cfg = migrate_train_cfg(v3(**said) | runner, "3")
    assert (cfg["actor"]["obs_normalization"], cfg["critic"]["obs_normalization"]) == (actor, critic)
    assert "empirical_normalization" not in cfg


def test_a_recurrent_policy_of_version_3():
    policy = {"class_name": "ActorCriticRecurrent", "rnn_type": "gru", "rnn_hidden_size": 12, "rnn_num_layers": 2}
    cfg = migrate_train_cfg(v3(**policy), "3.2.0")
    memory = {"class_name": "RNNModel", "rnn_type": "gru", "rnn_hidden_dim": 12, "rnn_num_layers": 2}
    assert cfg["actor"] == ACTOR | memory
    assert cfg["critic"] == CRITIC | memory


def test_a_policy_of_version_3_that_sees_images():
    cnn = {"output_channels": [4], "kernel_size": 3}
    cfg = migrate_train_cfg(v3(class_name="ActorCriticCNN", actor_cnn_cfg=cnn), "3.3")
    assert cfg["actor"] == ACTOR | {"class_name": "CNNModel", "cnn_cfg": cnn}
    assert cfg["critic"] == CRITIC | {"class_name": "CNNModel", "cnn_cfg": None}


@pytest.mark.parametrize("teacher_recurrent", [False, True])
def test_student_and_teacher_of_version_3(teacher_recurrent):
    policy = {
        "class_name": "StudentTeacherRecurrent",
        "student_hidden_dims": [8],
        "teacher_hidden_dims": [16],
        "rnn_hidden_dim": 4,
        "teacher_recurrent": teacher_recurrent,
    }
    runner = {"policy": policy, "obs_groups": {"policy": ["policy"], "teacher": ["full"]}, "algorithm": {}}
    cfg = migrate_train_cfg(runner, "3")
    memory = {"rnn_type": "lstm", "rnn_hidden_dim": 4, "rnn_num_layers": 1}
    model = {"activation": "elu", "obs_normalization": False}
    noise = {"class_name": "GaussianDistribution", "init_std": 0.1, "std_type": "scalar"}
    assert cfg["student"] == model | memory | {
        "class_name": "RNNModel",
        "hidden_dims": [8],
        "distribution_cfg": noise,
    }
    assert cfg["teacher"] == model | (memory if teacher_recurrent else {}) | {
        "class_name": "RNNModel" if teacher_recurrent else "MLPModel",
        "hidden_dims": [16],
        "distribution_cfg": noise | {"init_std": 0.0},
    }
    assert cfg["obs_groups"] == {"student": ["policy"], "teacher": ["full"]}


def test_a_set_that_versions_fill_differently_must_be_named():
    with pytest.raises(ConfigError, match=r"train_cfg\.obs_groups\.critic.*else \['policy', 'scan'\]"):
        migrate_train_cfg(v3({"policy": ["policy", "scan"]}), "3")
    assert migrate_train_cfg(v3({"policy": ["policy"]}), "3")["obs_groups"] == {"actor": ["policy"]}


def test_an_unknown_key_of_a_policy_is_an_error():
    with pytest.raises(ConfigError, match=r"train_cfg\.policy\.actor_hidden_dim: .*'actor_hidden_dims'"):
        migrate_train_cfg(v3(actor_hidden_dim=[4]), "3")


@pytest.mark.parametrize(
    ("noise", "distribution"),
    [
        ({}, {"init_std": 1.0, "std_type": "scalar"}),
        ({"init_noise_std": 0.5, "noise_std_type": "log"}, {"init_std": 0.5, "std_type": "log"}),
    ],
)
@pytest.mark.parametrize("state_dependent", [False, True])
def test_the_noise_of_version_4_becomes_a_distribution(noise, distribution, state_dependent):
    model = {"class_name": "MLPModel", "hidden_dims": [4]}
    old = RUNNER | {"actor": model | noise | {"stochastic": True, "state_dependent_std": state_dependent}}
    name = "HeteroscedasticGaussianDistribution" if state_dependent else "GaussianDistribution"
    cfg = migrate_train_cfg(old | {"critic": model | {"stochastic": False}}, "4.0.1")
    assert cfg == RUNNER | {"actor": model | {"distribution_cfg": {"class_name": name} | distribution}, "critic": model}


@pytest.mark.parametrize("version", ["3", "4.0.0", "5.5.1"])
@pytest.mark.parametrize(("word", "writer"), [("wandb", "WandbLogWriter"), ("neptune", "NeptuneLogWriter")])
def test_a_logger_that_is_a_word_becomes_a_dict(version, word, writer):
    runner = {"logger": word, f"{word}_project": "walk"} | (v3() if version == "3" else RUNNER)
    assert migrate_train_cfg(runner, version)["logger"] == {"class_name": writer, "project_name": "walk"}


def test_the_form_of_version_5_stays():
    cfg = RUNNER | {"actor": ACTOR, "critic": CRITIC, "logger": "tensorboard"}
    assert migrate_train_cfg(cfg, "5.0.0") == cfg


@pytest.mark.parametrize("version", ["2.3", "6", "", "33", "five"])
def test_other_versions_are_unknown(version):
    with pytest.raises(ConfigError, match=r"3\.0 to 5\.5"):
        migrate_train_cfg(RUNNER, version)


UNSET = {"stochastic": {}, "init_noise_std": {}, "noise_std_type": "scalar", "state_dependent_std": False}


def test_a_config_of_isaac_lab_in_the_current_form():
    cfg = RUNNER | {"policy": {}, "empirical_normalization": {}, "obs_groups": {"actor": ["policy"]}}
    cfg |= {"actor": ACTOR | UNSET, "critic": CRITIC | UNSET | {"distribution_cfg": None}}
    now = RUNNER | {"obs_groups": {"actor": ["policy"]}, "actor": ACTOR, "critic": CRITIC | {"distribution_cfg": None}}
    assert migrate_isaaclab_cfg(cfg) == now


def test_a_config_of_isaac_lab_in_the_form_of_version_3():
    policy = POLICY | {"actor_obs_normalization": {}, "critic_obs_normalization": {}, "noise_std_type": "scalar"}
    cfg = RUNNER | {"policy": policy, "empirical_normalization": True, "obs_groups": {}, "actor": {}, "critic": {}}
    normalized = {"obs_normalization": True}
    now = RUNNER | {"obs_groups": {}, "actor": ACTOR | normalized, "critic": CRITIC | normalized}
    assert migrate_isaaclab_cfg(cfg) == now


def test_a_config_of_isaac_lab_in_the_form_of_version_4():
    old = {key: value for key, value in ACTOR.items() if key != "distribution_cfg"}
    noise = {"stochastic": True, "init_noise_std": 0.8, "noise_std_type": "scalar", "state_dependent_std": False}
    cfg = RUNNER | {"policy": {}, "actor": old | noise | {"distribution_cfg": None}, "critic": CRITIC | UNSET}
    assert migrate_isaaclab_cfg(cfg) == RUNNER | {"actor": ACTOR, "critic": CRITIC}
