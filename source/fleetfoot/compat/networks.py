"""rsl_rl's models and distributions as our networks. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetfoot.compat.section import Section
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import Activation, ActorCfg, CriticCfg, DistributionCfg, GaussianCfg, MlpCfg

__all__ = ["translate_actor", "translate_critic"]

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

_OF_OTHER_MODELS = ("rnn_type", "rnn_hidden_dim", "rnn_num_layers", "cnn_cfg")
_SMALLEST_STD = 1e-6
"""rsl_rl raises the lower bound of a standard deviation to this."""


def translate_actor(section: Section, input_size: int | None) -> ActorCfg:
    """The network that acts.

    Args:
        section: The model.
        input_size: Size of its observations, if it is known.
    """
    network = _model(section, input_size)
    if not section.has("distribution_cfg"):
        where, expected = f"{section.where}.distribution_cfg", "a distribution: PPO needs a policy that explores"
        raise ConfigError(where, got="none", expected=expected)
    distribution = _distribution(section.part("distribution_cfg"))
    return section.build(ActorCfg, same={"obs_normalization": False}, network=network, distribution=distribution)


def translate_critic(section: Section, input_size: int | None) -> CriticCfg:
    """The network that judges; arguments as of the actor."""
    network = _model(section, input_size)
    section.only("distribution_cfg", None, fix="A value is a number, without a distribution.")
    return section.build(CriticCfg, same={"obs_normalization": False}, network=network)


def _model(section: Section, input_size: int | None) -> MlpCfg:
    section.class_name("MLPModel")
    section.leave_unset(_OF_OTHER_MODELS)
    return section.build(
        MlpCfg,
        same={},
        hidden_dims=_hidden_dims(section, input_size),
        activation=section.choose("activation", "elu", _ACTIVATIONS, any_case=True),
    )


def _hidden_dims(section: Section, input_size: int | None) -> Any:
    """Widths of the hidden layers; -1 stands for that of the input."""
    dims = section.take("hidden_dims", (256, 256, 256))
    if not isinstance(dims, (list, tuple)) or -1 not in dims:
        return dims
    if input_size is None:
        fix = "Write the width, or say what the environment observes: observation_spec=env.observation_spec."
        raise ConfigError(f"{section.where}.hidden_dims", got="-1", expected="a known width of the input", fix=fix)
    return [input_size if dim == -1 else dim for dim in dims]


def _distribution(section: Section) -> DistributionCfg:
    section.class_name("GaussianDistribution")
    return section.build(
        GaussianCfg, same={"init_std": 1.0, "std_type": "scalar", "learn_std": True}, std_range=_std_range(section)
    )


def _std_range(section: Section) -> Any:
    bounds = section.take("std_range", (_SMALLEST_STD, 1e6))
    match bounds:
        case [int() | float() as low, high]:
            return max(low, _SMALLEST_STD), high
        case _:
            return bounds
