"""rsl_rl's models and distributions as our networks. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetfoot.compat.section import REQUIRED, Section
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import (
    Activation,
    ActorCfg,
    BetaCfg,
    CnnCfg,
    CriticCfg,
    DistributionCfg,
    GaussianCfg,
    GruCfg,
    LstmCfg,
    MlpCfg,
    StateDependentGaussianCfg,
)

__all__ = ["translate_actor", "translate_critic", "translate_mlp", "translate_student", "translate_teacher"]

_ACTIVATIONS: Mapping[str, Activation] = {
    "elu": "elu",
    "selu": "selu",
    "relu": "relu",
    "crelu": "celu",
    "lrelu": "leaky_relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "gelu": "gelu",
    "swish": "silu",
    "mish": "mish",
    "identity": "identity",
}

_OF_MEMORIES = ("rnn_type", "rnn_hidden_dim", "rnn_num_layers")
_OF_IMAGES = ("cnn_cfg",)
_SMALLEST_STD = 1e-6
"""rsl_rl raises the lower bound of a standard deviation to this."""


def translate_actor(section: Section, input_size: int | None) -> ActorCfg:
    """The network that acts.

    Args:
        section: The model.
        input_size: Size of its observations, if it is known.
    """
    parts = _model(section, input_size)
    if not section.has("distribution_cfg"):
        where, expected = f"{section.where}.distribution_cfg", "a distribution: PPO needs a policy that explores"
        raise ConfigError(where, got="none", expected=expected)
    distribution = _distribution(section.part("distribution_cfg"))
    return section.build(ActorCfg, same={"obs_normalization": False}, distribution=distribution, **parts)


def translate_student(section: Section, input_size: int | None) -> ActorCfg:
    """The network that learns from a teacher; arguments as of the actor."""
    if not section.has("distribution_cfg"):
        where, expected = f"{section.where}.distribution_cfg", "a distribution, without which rsl_rl fails as it logs"
        raise ConfigError(where, got="none", expected=expected)
    return translate_teacher(section, input_size)


def translate_teacher(section: Section, input_size: int | None) -> ActorCfg:
    """The network that is learned from; arguments as of the actor. Of its distribution only the mode is looked at."""
    parts, distribution = _model(section, input_size), GaussianCfg()
    if section.has("distribution_cfg"):
        distribution = _distribution(section.part("distribution_cfg"), may_be_certain=True)
    return section.build(ActorCfg, same={"obs_normalization": False}, distribution=distribution, **parts)


def translate_critic(section: Section, input_size: int | None) -> CriticCfg:
    """The network that judges; arguments as of the actor."""
    parts = _model(section, input_size)
    section.only("distribution_cfg", None, fix="A value is a number, without a distribution.")
    return section.build(CriticCfg, same={"obs_normalization": False}, **parts)


def translate_mlp(
    section: Section, input_size: int | None, *, key: str = "hidden_dims", default: Any = (256, 256, 256)
) -> MlpCfg:
    """A perceptron.

    Args:
        section: Where its widths and its activation stand.
        input_size: Size of its input, if it is known: a width of -1 stands for it.
        key: What its widths are called there.
        default: What they are if they are not there.
    """
    dims = section.take(key, default)
    if isinstance(dims, (list, tuple)) and -1 in dims:
        if input_size is None:
            fix = "Write the width, or say what the environment observes: observation_spec=env.observation_spec."
            raise ConfigError(f"{section.where}.{key}", got="-1", expected="a known width of the input", fix=fix)
        dims = [input_size if dim == -1 else dim for dim in dims]
    activation = section.choose("activation", "elu", _ACTIVATIONS, any_case=True)
    named = {"hidden_dims": (key, default)}  # for errors; the widths themselves are those without -1
    return section.build(MlpCfg, same={}, renamed=named, hidden_dims=dims, activation=activation)


def _model(section: Section, input_size: int | None) -> dict[str, Any]:
    """The fields that actor and critic have in common."""
    match section.class_name("MLPModel", "RNNModel", "CNNModel"):
        case "RNNModel":
            section.leave_unset(_OF_IMAGES)
            memory = _memory(section)
            return {"memory": memory, "network": translate_mlp(section, memory.hidden_dim)}
        case "CNNModel":
            section.leave_unset(_OF_MEMORIES)
            return {**_encoders(section), "network": translate_mlp(section, None)}
        case _:
            section.leave_unset((*_OF_MEMORIES, *_OF_IMAGES))
            return {"network": translate_mlp(section, input_size)}


def _memory(section: Section) -> LstmCfg | GruCfg:
    kinds: dict[str, type[LstmCfg | GruCfg]] = {"lstm": LstmCfg, "gru": GruCfg}
    kind = section.choose("rnn_type", "lstm", kinds, any_case=True)
    named = {"hidden_dim": ("rnn_hidden_dim", 256), "num_layers": ("rnn_num_layers", 1)}
    return section.build(kind, same={}, renamed=named)


def _encoders(section: Section) -> dict[str, Any]:
    """How images are seen: one dict for all of them, or a dict of one for each."""
    if not section.has("cnn_cfg"):  # the actor's are shared; else the networks are refused when they are built
        return {}
    data = section.take("cnn_cfg")
    if isinstance(data, Mapping) and data and all(isinstance(value, Mapping) for value in data.values()):
        groups = section.part("cnn_cfg")
        return {"cnn_by_group": {group: _cnn(groups.part(group)) for group in data}}
    return {"cnn": _cnn(section.part("cnn_cfg"))}


def _cnn(section: Section) -> CnnCfg:
    section.only("flatten", True, fix="What follows an image's network reads a vector.")
    return section.build(
        CnnCfg,
        same={
            "output_channels": REQUIRED,
            "kernel_size": REQUIRED,
            "stride": 1,
            "dilation": 1,
            "padding": "none",
            "norm": "none",
            "max_pool": False,
            "global_pool": "none",
        },
        activation=section.choose("activation", "elu", _ACTIVATIONS, any_case=True),
    )


def _distribution(section: Section, *, may_be_certain: bool = False) -> DistributionCfg:
    """What is random; `may_be_certain` allows an `init_std` of zero, which rsl_rl raises when it is used."""
    name = section.class_name("GaussianDistribution", "HeteroscedasticGaussianDistribution", "BetaDistribution")
    if name == "BetaDistribution":
        return section.build(BetaCfg, same={"action_range": (-1.0, 1.0)})
    same: dict[str, Any] = {"init_std": 1.0, "std_type": "scalar"}
    init_std = section.take("init_std", 1.0)
    rest = {"std_range": _std_range(section), "init_std": init_std or _SMALLEST_STD if may_be_certain else init_std}
    if name == "HeteroscedasticGaussianDistribution":
        return section.build(StateDependentGaussianCfg, same=same, **rest)
    return section.build(GaussianCfg, same=same | {"learn_std": True}, **rest)


def _std_range(section: Section) -> Any:
    bounds = section.take("std_range", (_SMALLEST_STD, 1e6))
    match bounds:
        case [int() | float() as low, high]:
            return max(low, _SMALLEST_STD), high
        case _:
            return bounds
