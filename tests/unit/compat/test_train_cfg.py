import copy
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import torch

from fleetfoot.algorithms.build import check_config
from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    FixedCfg,
    PpoCfg,
    RndCfg,
    RndLinearCfg,
    RndStepCfg,
    SymmetryCfg,
)
from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.core.vec_env import ActionSpec
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    CnnCfg,
    CriticCfg,
    GaussianCfg,
    GruCfg,
    LstmCfg,
    MlpCfg,
    StateDependentGaussianCfg,
)
from fleetfoot.runners.config import DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg

DATA = Path(__file__).parents[2] / "data" / "isaaclab_rsl_rl_configs.json"
ISAACLAB = json.loads(DATA.read_text(encoding="utf-8"))["configs"]
SPEC = {"policy": (12,), "critic": (15,), "image": (3, 8, 8)}


@pytest.fixture
def theirs():
    """The smallest config that rsl_rl takes."""
    return {
        "num_steps_per_env": 24,
        "save_interval": 50,
        "obs_groups": {"actor": ["policy"], "critic": ["policy", "critic"]},
        "algorithm": {"class_name": "PPO"},
        "actor": {"class_name": "MLPModel", "distribution_cfg": {"class_name": "GaussianDistribution"}},
        "critic": {"class_name": "MLPModel"},
    }


class OfIsaacLab:
    def __init__(self, data):
        self._data = data

    def to_dict(self):
        return copy.deepcopy(self._data)


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
    assert translate_train_cfg(theirs) == OnPolicyRunnerCfg(
        experiment_name="rsl_rl",
        num_steps_per_env=24,
        save_interval=50,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy", "critic")),
        algorithm=PpoCfg(
            num_learning_epochs=5,
            num_mini_batches=4,
            shuffle="once",
            drop_remainder=True,
            learning_rate=1e-3,
            schedule=AdaptiveKlCfg(desired_kl=0.01, factor=1.5, min_learning_rate=1e-5, max_learning_rate=1e-2),
            gamma=0.99,
            lam=0.95,
            time_limit_bootstrap="previous_value",
            clip_param=0.2,
            use_clipped_value_loss=True,
            value_loss_coef=1.0,
            entropy_coef=0.01,
            max_grad_norm=1.0,
            normalize_advantage_per_mini_batch=False,
        ),
        actor=ActorCfg(network=network, distribution=noise, obs_normalization=False),
        critic=CriticCfg(network=network, obs_normalization=False),
    )


def test_what_fleetfoot_knows_better_is_left_to_it_on_request(theirs):
    ours = translate_train_cfg(theirs, same_numbers=False).algorithm
    assert (ours.time_limit_bootstrap, ours.shuffle, ours.drop_remainder) == ("final_observation", "once", True)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("num_steps_per_env", 7, "num_steps_per_env"),
        ("save_interval", 9, "save_interval"),
        ("max_iterations", 11, "max_iterations"),
        ("seed", 3, "seed"),
        ("experiment_name", "walk", "experiment_name"),
        ("run_name", "first", "run_name"),
        ("algorithm.num_learning_epochs", 2, "algorithm.num_learning_epochs"),
        ("algorithm.num_mini_batches", 3, "algorithm.num_mini_batches"),
        ("algorithm.clip_param", 0.3, "algorithm.clip_param"),
        ("algorithm.gamma", 0.9, "algorithm.gamma"),
        ("algorithm.lam", 0.8, "algorithm.lam"),
        ("algorithm.value_loss_coef", 0.5, "algorithm.value_loss_coef"),
        ("algorithm.entropy_coef", 0.0, "algorithm.entropy_coef"),
        ("algorithm.learning_rate", 3e-4, "algorithm.learning_rate"),
        ("algorithm.max_grad_norm", 0.7, "algorithm.max_grad_norm"),
        ("algorithm.use_clipped_value_loss", False, "algorithm.use_clipped_value_loss"),
        ("algorithm.desired_kl", 0.02, "algorithm.schedule.desired_kl"),
        ("algorithm.normalize_advantage_per_mini_batch", True, "algorithm.normalize_advantage_per_mini_batch"),
        ("actor.hidden_dims", (32, 16), "actor.network.hidden_dims"),
        ("actor.obs_normalization", True, "actor.obs_normalization"),
        ("actor.distribution_cfg.init_std", 0.4, "actor.distribution.init_std"),
        ("actor.distribution_cfg.std_type", "log", "actor.distribution.std_type"),
        ("actor.distribution_cfg.std_range", (0.1, 2.0), "actor.distribution.std_range"),
        ("actor.distribution_cfg.learn_std", False, "actor.distribution.learn_std"),
        ("critic.hidden_dims", (8,), "critic.network.hidden_dims"),
        ("critic.obs_normalization", True, "critic.obs_normalization"),
    ],
)
def test_a_key_says_the_same_as_a_field(theirs, path, value, field):
    before = translate_train_cfg(theirs)
    put(theirs, path, value)
    after = translate_train_cfg(theirs)
    assert get(after, field) == value
    assert get(before, field) != value


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("elu", "elu"),
        ("selu", "selu"),
        ("relu", "relu"),
        ("crelu", "celu"),
        ("lrelu", "leaky_relu"),
        ("tanh", "tanh"),
        ("sigmoid", "sigmoid"),
        ("softplus", "softplus"),
        ("gelu", "gelu"),
        ("swish", "silu"),
        ("mish", "mish"),
        ("identity", "identity"),
        ("ELU", "elu"),
    ],
)
def test_activations_have_other_names(theirs, name, ours):
    theirs["actor"]["activation"] = name
    assert translate_train_cfg(theirs).actor.network.activation == ours


@pytest.mark.parametrize(
    ("said", "ours"), [("adam", "adam"), ("AdamW", "adamw"), ("sgd", "sgd"), ("rmsprop", "rmsprop")]
)
def test_optimisers(theirs, said, ours):
    theirs["algorithm"]["optimizer"] = said
    assert translate_train_cfg(theirs).algorithm.optimizer == ours


def test_curiosity_learns_with_the_optimiser_of_all_else(theirs):
    theirs["algorithm"] |= {"optimizer": "sgd", "rnd_cfg": CURIOUS}
    theirs["obs_groups"]["rnd_state"] = ["policy"]
    notes = []
    translate_train_cfg(theirs, report=notes.append)
    assert notes == ["train_cfg.algorithm.optimizer: the predictor of curiosity learns with sgd too, not Adam."]


@pytest.mark.parametrize(("schedule", "desired_kl"), [("fixed", 0.01), ("anything", 0.01), ("adaptive", None)])
def test_without_a_divergence_to_aim_at_the_rate_is_fixed(theirs, schedule, desired_kl):
    theirs["algorithm"] |= {"schedule": schedule, "desired_kl": desired_kl}
    assert translate_train_cfg(theirs).algorithm.schedule == FixedCfg()


def test_the_lower_bound_of_a_standard_deviation_is_raised_as_there(theirs):
    theirs["actor"]["distribution_cfg"]["std_range"] = [0.0, 2.0]
    assert translate_train_cfg(theirs).actor.distribution.std_range == (1e-6, 2.0)


def test_a_width_of_minus_one_is_that_of_the_input(theirs):
    theirs["actor"]["hidden_dims"] = [-1, 8]
    theirs["critic"]["hidden_dims"] = [4, -1]
    ours = translate_train_cfg(theirs, observation_spec=SPEC)
    assert ours.actor.network.hidden_dims == (12, 8)
    assert ours.critic.network.hidden_dims == (4, 27)
    with pytest.raises(ConfigError, match=r"train_cfg\.actor\.hidden_dims: got -1.*observation_spec"):
        translate_train_cfg(theirs)


@pytest.mark.parametrize(
    ("spec", "actor", "critic"),
    [
        ({"policy": (3,)}, ("policy",), ("policy",)),
        ({"policy": (3,), "critic": (4,)}, ("policy",), ("critic",)),
        ({"actor": (3,), "policy": (4,)}, ("actor",), ("policy",)),
    ],
)
def test_sets_that_are_not_named_are_filled_as_there_with_a_note(theirs, spec, actor, critic):
    theirs["obs_groups"] = {}
    notes = []
    ours = translate_train_cfg(theirs, observation_spec=spec, report=notes.append)
    assert ours.obs_groups == ObsGroupsCfg(actor=actor, critic=critic)
    assert notes == [
        f"train_cfg.obs_groups.{name} is not set: it is taken to be {list(groups)}, as rsl_rl does."
        for name, groups in (("actor", actor), ("critic", critic))
    ]


def test_sets_that_are_not_named_need_an_environment_that_has_them(theirs):
    del theirs["obs_groups"]["critic"]
    with pytest.raises(ConfigError, match=r"train_cfg\.obs_groups\.critic: got nothing.*observation_spec"):
        translate_train_cfg(theirs)
    with pytest.raises(ConfigError, match=r"observation groups of the environment: image"):
        translate_train_cfg(theirs, observation_spec={"image": (3, 8, 8)})


@pytest.mark.parametrize(
    ("said", "logger", "project"),
    [
        ({}, "tensorboard", "fleetfoot"),
        ({"logger": "tensorboard", "wandb_project": "lab"}, "tensorboard", "lab"),
        ({"logger": {"class_name": "tensorboard"}}, "tensorboard", "fleetfoot"),
        ({"logger": {"class_name": "WandbLogWriter", "project_name": "walk"}}, "wandb", "walk"),
        ({"logger": {"class_name": "rsl_rl.utils:WandbLogWriter", "project_name": "walk"}}, "wandb", "walk"),
        ({"logger": "wandb", "wandb_project": "walk"}, "wandb", "walk"),
        ({"logger": "wandb"}, "wandb", "fleetfoot"),
    ],
)
def test_loggers(theirs, said, logger, project):
    ours = translate_train_cfg(theirs | said)
    assert (ours.logger, ours.wandb_project) == (logger, project)


def test_keys_for_the_script_are_left_to_it(theirs):
    script = {"device": "cuda:0", "clip_actions": 1.0, "resume": True, "load_run": ".*", "class_name": "OnPolicyRunner"}
    unset = {"policy": {}, "empirical_normalization": {}, "multi_gpu": None}
    assert translate_train_cfg(theirs | script | unset) == translate_train_cfg(theirs)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("check_for_nan", False),
        ("torch_compile_mode", "default"),
        ("algorithm.use_mixed_precision", True),
        ("algorithm.symmetry_cfg", {"data_augmentation_func": "m:f"}),
    ],
)
def test_what_has_no_effect_is_said(theirs, path, value):
    before = translate_train_cfg(theirs)
    put(theirs, path, value)
    with pytest.warns(UserWarning, match=rf"train_cfg\.{path} has no effect: ") as caught:
        after = translate_train_cfg(theirs)
    assert after == before
    assert caught[0].filename == __file__


AUGMENTED, MIRRORED = {"use_data_augmentation": True}, {"use_mirror_loss": True, "mirror_loss_coeff": 0.3}


@pytest.mark.parametrize(
    ("symmetry", "same_numbers", "ours"),
    [
        (AUGMENTED, True, SymmetryCfg(augmentation="append")),
        (AUGMENTED, False, SymmetryCfg(augmentation="replace")),
        (AUGMENTED | {"mirror_loss_coeff": 0.3}, True, SymmetryCfg(augmentation="append")),
        (MIRRORED, True, SymmetryCfg(augmentation=None, mirror_loss_coef=0.3)),
        (AUGMENTED | MIRRORED, True, SymmetryCfg(augmentation="append", mirror_loss_coef=0.3)),
        ({"use_mirror_loss": True}, True, None),
    ],
)
def test_mirror_images_are_learned_from_in_the_same_ways(theirs, symmetry, same_numbers, ours):
    theirs["algorithm"]["symmetry_cfg"] = {"data_augmentation_func": "module:f"} | symmetry
    notes = []
    cfg = translate_train_cfg(theirs, same_numbers=same_numbers, report=notes.append)
    assert cfg.algorithm.symmetry == ours
    assert len(notes) == (ours is None)


CURIOUS = {"num_outputs": 5, "predictor_hidden_dims": [7], "target_hidden_dims": [6, 4]}
EVERYTHING = CURIOUS | {
    "predictor_hidden_dims": [7, -1],
    "activation": "relu",
    "state_normalization": True,
    "reward_normalization": True,
    "weight": 3.0,
    "learning_rate": 2e-3,
    "num_states": 12,
    "device": "cpu",
}


def curious(theirs, cfg, **options):
    theirs["algorithm"]["rnd_cfg"] = cfg
    theirs["obs_groups"]["rnd_state"] = ["policy"]
    ours = translate_train_cfg(theirs, observation_spec=SPEC, report=lambda note: None, **options)
    assert ours.obs_groups.rnd_state == ("policy",)
    return ours.algorithm.rnd


def test_curiosity_by_default(theirs):
    assert curious(theirs, CURIOUS) == RndCfg(
        weight=0.0,
        schedule=FixedCfg(),
        num_outputs=5,
        predictor=MlpCfg(hidden_dims=(7,)),
        target=MlpCfg(hidden_dims=(6, 4)),
        learning_rate=1e-3,
        state_normalization=False,
        reward_normalization=None,
        reward_discount=0.99,
        episode_end="next_episode",
    )


def test_curiosity_with_everything_set(theirs):
    ours = curious(theirs, EVERYTHING)
    assert ours.predictor == MlpCfg(hidden_dims=(7, 12), activation="relu")
    assert (ours.weight, ours.learning_rate, ours.state_normalization) == (3.0, 2e-3, True)
    assert (ours.reward_normalization, ours.episode_end) == ("every_step", "next_episode")
    better = curious(theirs, EVERYTHING, same_numbers=False)
    assert (better.reward_normalization, better.episode_end) == ("rollout", "final_observation")


@pytest.mark.parametrize(
    ("schedule", "ours"),
    [
        ({"mode": "constant"}, FixedCfg()),
        ({"mode": "step", "final_step": 7, "final_value": 0.5}, RndStepCfg(final=25.0, at=7)),
        (
            {"mode": "linear", "initial_step": 2, "final_step": 9, "final_value": 0.5},
            RndLinearCfg(final=25.0, begin=2, steps=7),
        ),
    ],
)
def test_the_weight_of_curiosity_ends_per_step_there_and_per_second_here(theirs, schedule, ours):
    assert curious(theirs, CURIOUS | {"weight_schedule": schedule}, step_dt=0.02).schedule == ours


def test_where_a_weight_per_step_needs_the_duration_of_a_step(theirs):
    cfg = CURIOUS | {"weight_schedule": {"mode": "step", "final_step": 7, "final_value": 0.5}}
    with pytest.raises(ConfigError, match=r"weight_schedule\.final_value: got 0\.5 per step.*step_dt=env\.step_dt"):
        curious(theirs, cfg)
    assert curious(theirs, cfg, same_numbers=False).schedule == RndStepCfg(final=0.5, at=7)
    cfg["weight_schedule"]["final_value"] = 0.0
    assert curious(theirs, cfg).schedule == RndStepCfg(final=0.0, at=7)


def test_what_curiosity_looks_at_is_filled_in_as_there(theirs):
    theirs["algorithm"]["rnd_cfg"] = CURIOUS
    notes = []
    ours = translate_train_cfg(theirs, observation_spec=SPEC, report=notes.append)
    assert ours.obs_groups.rnd_state == ("policy",)
    assert notes == ["train_cfg.obs_groups.rnd_state is not set: it is taken to be ['policy'], as rsl_rl does."]


@pytest.mark.parametrize(
    ("rnn", "ours"),
    [
        ({}, LstmCfg(hidden_dim=256, num_layers=1)),
        ({"rnn_type": "GRU", "rnn_hidden_dim": 12, "rnn_num_layers": 2}, GruCfg(hidden_dim=12, num_layers=2)),
    ],
)
@pytest.mark.parametrize("network", ["actor", "critic"])
def test_a_network_that_remembers(theirs, network, rnn, ours):
    theirs[network] |= {"class_name": "RNNModel", "hidden_dims": [-1, 8], "cnn_cfg": None} | rnn
    cfg = translate_train_cfg(theirs)
    assert getattr(cfg, network).memory == ours
    assert getattr(cfg, network).network.hidden_dims == (ours.hidden_dim, 8)
    assert getattr(cfg, "critic" if network == "actor" else "actor").memory is None
    assert (cfg.algorithm.shuffle, cfg.algorithm.sequence_length) == ("never", None)
    assert translate_train_cfg(theirs, same_numbers=False).algorithm.shuffle == "once"


CNN = {"output_channels": [4, 8], "kernel_size": 3}
CNN_IN_FULL = CNN | {
    "kernel_size": [5, 3],
    "stride": [2, 1],
    "dilation": 2,
    "padding": "zeros",
    "norm": ["none", "batch"],
    "activation": "lrelu",
    "max_pool": [True, False],
    "global_pool": "avg",
    "flatten": True,
}


def test_networks_that_see_images_alike(theirs):
    theirs["actor"] |= {"class_name": "CNNModel", "cnn_cfg": CNN, "rnn_type": None}
    theirs["critic"] |= {"class_name": "CNNModel", "cnn_cfg": CNN_IN_FULL}
    cfg = translate_train_cfg(theirs)
    assert cfg.actor.cnn == CnnCfg(output_channels=(4, 8), kernel_size=(3,))
    assert cfg.critic.cnn == CnnCfg(
        output_channels=(4, 8),
        kernel_size=(5, 3),
        stride=(2, 1),
        dilation=(2,),
        padding="zeros",
        norm=("none", "batch"),
        activation="leaky_relu",
        max_pool=(True, False),
        global_pool="avg",
    )
    assert cfg.actor.cnn_by_group == cfg.critic.cnn_by_group == {}


def test_each_image_can_have_its_own_network(theirs):
    theirs["actor"] |= {"class_name": "CNNModel", "cnn_cfg": {"left": CNN, "right": CNN_IN_FULL}}
    theirs["critic"] |= {"class_name": "CNNModel"}
    theirs["algorithm"]["share_cnn_encoders"] = True
    notes = []
    cfg = translate_train_cfg(theirs, report=notes.append)
    assert cfg.actor.cnn is None
    assert {group: cnn.global_pool for group, cnn in cfg.actor.cnn_by_group.items()} == {"left": "none", "right": "avg"}
    assert (cfg.critic.cnn, cfg.critic.cnn_by_group) == (None, {})
    assert cfg.algorithm.share_cnn_encoders
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("theirs_is", "ours"),
    [
        (
            {"class_name": "HeteroscedasticGaussianDistribution", "init_std": 0.4, "std_type": "log"},
            StateDependentGaussianCfg(init_std=0.4, std_type="log"),
        ),
        (
            {"class_name": "HeteroscedasticGaussianDistribution", "std_range": [0.0, 2.0]},
            StateDependentGaussianCfg(std_range=(1e-6, 2.0)),
        ),
        ({"class_name": "BetaDistribution"}, BetaCfg()),
        ({"class_name": "BetaDistribution", "action_range": [-2.0, 1.0]}, BetaCfg(action_range=(-2.0, 1.0))),
    ],
)
def test_distributions(theirs, theirs_is, ours):
    theirs["actor"]["distribution_cfg"] = theirs_is
    assert translate_train_cfg(theirs).actor.distribution == ours


def test_a_key_that_rsl_rl_would_not_look_at_can_be_left(theirs):
    before, notes = translate_train_cfg(theirs), []
    theirs["save_intervall"] = 3
    assert translate_train_cfg(theirs, refuse_unknown=False, report=notes.append) == before
    assert notes == ["train_cfg.save_intervall has no effect: it is an unknown key. Did you mean 'save_interval'?"]
    theirs["algorithm"]["learning_rat"] = 3.0
    with pytest.raises(ConfigError, match="learning_rat: got an unknown key"):
        translate_train_cfg(theirs, refuse_unknown=False, report=notes.append)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("class_name", "MyRunner", r"train_cfg\.class_name: got 'MyRunner'; expected OnPolicyRunner"),
        (
            "policy",
            {"class_name": "ActorCritic"},
            r"train_cfg\.policy: got a setting of rsl_rl 3\.x.*migrate_train_cfg",
        ),
        ("empirical_normalization", False, r"train_cfg\.empirical_normalization: got a setting of rsl_rl 3\.x"),
        ("num_step_per_env", 3, r"train_cfg\.num_step_per_env: got an unknown key.*'num_steps_per_env'"),
        ("save_interval", 0, r"train_cfg\.save_interval: got 0; expected greater than or equal to 1"),
        ("logger", "neptune", r"train_cfg\.logger\.class_name: got 'NeptuneLogWriter'; expected tensorboard or Wandb"),
        ("logger", "mlflow", r"train_cfg\.logger: got 'mlflow'; expected a dict"),
        ("obs_groups.policy", ["policy"], r"train_cfg\.obs_groups\.policy: got an unknown key.*actor, critic"),
        ("obs_groups.actor", [], r"train_cfg\.obs_groups\.actor: got \[\]"),
        (
            "algorithm.class_name",
            "my.module:Ppo",
            r"train_cfg\.algorithm\.class_name: got 'my\.module:Ppo'; expected PPO",
        ),
        ("algorithm.learning_rat", 1.0, r"train_cfg\.algorithm\.learning_rat: got an unknown key.*'learning_rate'"),
        ("algorithm.learning_rate", -1.0, r"train_cfg\.algorithm\.learning_rate: got -1\.0; expected greater than 0"),
        ("algorithm.desired_kl", 0.0, r"train_cfg\.algorithm\.desired_kl: got 0\.0; expected greater than 0"),
        (
            "algorithm.optimizer",
            "lion",
            r"algorithm\.optimizer: got 'lion'; expected one of 'adam', 'adamw', 'sgd', 'r",
        ),
        ("algorithm.rnd_cfg", {"weight": 1.0}, r"rnd_cfg\.predictor_hidden_dims: got nothing"),
        ("algorithm.rnd_cfg", CURIOUS | {"num_outputs": 0}, r"train_cfg\.algorithm\.rnd_cfg\.num_outputs: got 0"),
        ("algorithm.rnd_cfg", CURIOUS | {"target_hidden_dims": [0]}, r"rnd_cfg\.target_hidden_dims\[0\]: got 0"),
        ("algorithm.rnd_cfg", CURIOUS | {"num_output": 4}, r"rnd_cfg\.num_output: got an unknown key.*'num_outputs'"),
        (
            "algorithm.rnd_cfg",
            CURIOUS | {"weight_schedule": {"mode": "cosine"}},
            r"weight_schedule\.mode: got 'cosine'; expected one of 'constant', 'step', 'linear'",
        ),
        (
            "algorithm.rnd_cfg",
            CURIOUS | {"weight_schedule": {"mode": "linear", "initial_step": 5, "final_step": 5, "final_value": 0.0}},
            r"weight_schedule\.final_step: got 0",
        ),
        (
            "algorithm.symmetry_cfg",
            {"use_mirror_loss": True, "mirror_loss_coeff": -1.0},
            r"symmetry_cfg\.mirror_loss_coeff: got -1\.0",
        ),
        ("algorithm.symmetry_cfg.use_augmentation", True, r"use_augmentation: got an unknown key.*'use_data_augment"),
        ("actor.hidden_dims", [], r"train_cfg\.actor\.hidden_dims: got \[\]"),
        ("actor.hidden_dims", [4, 0], r"train_cfg\.actor\.hidden_dims\[1\]: got 0"),
        ("actor.activation", "silu", r"train_cfg\.actor\.activation: got 'silu'; expected one of .*'swish'"),
        ("actor.distribution_cfg", None, r"train_cfg\.actor\.distribution_cfg: got none.*a policy that explores"),
        ("actor.distribution_cfg.init_std", 0.0, r"train_cfg\.actor\.distribution_cfg\.init_std: got 0\.0"),
        ("actor.distribution_cfg.std_range", 3.0, r"train_cfg\.actor\.distribution_cfg\.std_range: got 3\.0"),
        ("actor.rnn_type", "lstm", r"train_cfg\.actor\.rnn_type: got an unknown key"),
        ("actor", {"class_name": "RNNModel", "rnn_type": "elman"}, r"actor\.rnn_type: got 'elman'; expected .*'gru'"),
        ("actor", {"class_name": "RNNModel", "rnn_num_layers": 0}, r"train_cfg\.actor\.rnn_num_layers: got 0"),
        ("actor", {"class_name": "CNNModel", "cnn_cfg": {"kernel_size": 3}}, r"cnn_cfg\.output_channels: got nothing"),
        ("actor", {"class_name": "CNNModel", "cnn_cfg": CNN | {"flatten": False}}, r"cnn_cfg\.flatten: got False"),
        ("actor", {"class_name": "CNNModel", "cnn_cfg": {"eye": CNN | {"stride": [0]}}}, r"cnn_cfg\.eye\.stride"),
        ("actor", {"class_name": "CNNModel", "hidden_dims": [-1]}, r"actor\.hidden_dims: got -1"),
        (
            "actor.distribution_cfg",
            {"class_name": "BetaDistribution", "action_range": [1.0, -1.0]},
            r"actor\.distribution_cfg\.action_range",
        ),
        ("actor.stochastic", True, r"train_cfg\.actor\.stochastic: got an unknown key"),
        ("critic.distribution_cfg", {"class_name": "GaussianDistribution"}, r"train_cfg\.critic\.distribution_cfg"),
        ("critic.obs_normalisation", True, r"train_cfg\.critic\.obs_normalisation.*'obs_normalization'"),
    ],
)
def test_what_cannot_be_had_is_named(theirs, path, value, message):
    theirs["obs_groups"]["rnd_state"] = ["policy"]
    put(theirs, path, value)
    with pytest.raises(ConfigError, match=message):
        translate_train_cfg(theirs, report=lambda note: None)


@pytest.mark.parametrize("key", ["num_steps_per_env", "save_interval", "algorithm", "actor", "critic"])
def test_what_has_no_default_is_missed(theirs, key):
    del theirs[key]
    with pytest.raises(ConfigError, match=rf"train_cfg\.{key}: got nothing"):
        translate_train_cfg(theirs)


def test_what_is_translated_is_not_changed(theirs):
    before = copy.deepcopy(theirs)
    translate_train_cfg(theirs)
    assert theirs == before


def observed(cfg):
    """Observations for a config: images where it sees some, which may be all that it names."""
    sees = [groups for name, groups in cfg["obs_groups"].items() if "CNN" in cfg.get(name, {}).get("class_name", "")]
    images = {group for groups in sees for group in groups if "image" in group or "height" in group}
    images |= {groups[0] for groups in sees if len(groups) == 1}
    groups = [group for groups in cfg["obs_groups"].values() for group in groups] or ["policy", "critic"]
    return {group: (3, 120, 160) if group in images else (48,) for group in groups}


class Shapes:
    num_envs, device, step_dt, action_spec = 64, torch.device("cpu"), 0.02, ActionSpec(size=12)

    def __init__(self, observation_spec):
        self.observation_spec = observation_spec
        same = {group: SignedPermutation.identity(shape[0]) for group, shape in observation_spec.items()}
        self.mirror_images = (MirrorImage(name="same", observations=same, actions=SignedPermutation.identity(12)),)


def test_every_config_of_isaac_lab_is_translated_and_built_or_refused_for_a_reason():
    refused, built = Counter(), Counter()
    for entry in ISAACLAB:
        cfg = entry["config"]
        env = Shapes(observed(cfg))
        try:
            ours = translate_train_cfg(OfIsaacLab(cfg), observation_spec=env.observation_spec, report=lambda note: None)
        except ConfigError as error:
            name = re.split("[:.]", error.got.strip("'"))[-1]
            refused[f"{error.where}: {name}"] += 1
            continue
        check_config(env, ours)
        assert ours.experiment_name == cfg["experiment_name"]
        assert ours.max_iterations == cfg["max_iterations"]
        if isinstance(ours, DistillationRunnerCfg):
            built[f"distillation, {cfg['student']['class_name']}"] += 1
            continue
        built[cfg["actor"].get("class_name", "as in version 3")] += 1
        assert ours.algorithm.learning_rate == cfg["algorithm"]["learning_rate"]
        assert ours.algorithm.entropy_coef == cfg["algorithm"]["entropy_coef"]
        assert isinstance(ours.algorithm.schedule, AdaptiveKlCfg) == (cfg["algorithm"]["schedule"] == "adaptive")
        assert (ours.algorithm.symmetry is None) == (cfg["algorithm"]["symmetry_cfg"] is None)
        for model, network in ((cfg["actor"], ours.actor), (cfg["critic"], ours.critic)):
            assert list(network.network.hidden_dims) == model.get("hidden_dims", [256, 128, 64])
            assert network.obs_normalization == model.get("obs_normalization", False)
            assert (network.memory is None) == (model.get("class_name") != "RNNModel")
            assert (network.cnn is None) == (model.get("class_name") != "CNNModel")
    assert built == {
        "MLPModel": 72,
        "CNNModel": 4,
        "RNNModel": 4,
        "as in version 3": 1,
        "distillation, MLPModel": 1,
        "distillation, RNNModel": 1,
    }
    assert refused == {
        "train_cfg.actor.class_name: SpatialSoftmaxCNNModel": 2,
        "train_cfg.actor.distribution_cfg.class_name: UR10ParticlePushGaussianDistribution": 1,
        "train_cfg.algorithm.class_name: SharedEncoderPPO": 1,
        "train_cfg.algorithm.class_name: TaskBalancedPPO": 1,
    }
