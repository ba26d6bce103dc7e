"""Networks of rsl_rl and ours: the same tensors under other names.

rsl_rl 5.x                                  fleetfoot
obs_normalizer._mean, _var, count           inputs.normalizer.mean, var, count      (_std is the root of _var)
mlp.0.weight                                network.layers.0.weight
distribution.std_param, log_std_param       head.std_param
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from fleetfoot.compat.checkpoint_file import Learned, read_checkpoint_file, write_checkpoint_file
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import GaussianCfg, SquashedGaussianCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

__all__ = ["adopt", "learned_by", "load_rsl_rl_checkpoint", "save_rsl_rl_checkpoint"]

StdType = Literal["scalar", "log"]

_PREFIXES = (
    ("obs_normalizer._", "inputs.normalizer."),
    ("obs_normalizer.", "inputs.normalizer."),
    ("distribution.log_std_param", "head.std_param"),
    ("distribution.std_param", "head.std_param"),
    ("mlp.", "network.layers."),
)
"""How their names begin and ours."""
_DERIVED = "obs_normalizer._std"


def load_rsl_rl_checkpoint(path: str | Path, *, device: torch.device | str = "cpu") -> Learned:
    """What a checkpoint of rsl_rl 2.3 to 5.5 holds, under our names: `networks` fit `load_state_dict` of ours.

    Raises:
        CheckpointError: The file is unreadable, no checkpoint of rsl_rl, or of networks that there are none like here.
    """
    theirs = read_checkpoint_file(Path(path), device=device)
    networks = {
        name: {_our_name(key, str(path)): _our_value(key, value) for key, value in state.items() if key != _DERIVED}
        for name, state in theirs.networks.items()
    }
    moments = {
        _in_network(name, lambda key: _our_name(key, str(path))): state for name, state in theirs.moments.items()
    }
    return replace(theirs, networks=networks, moments=moments)


def save_rsl_rl_checkpoint(path: str | Path, learned: Learned, *, std_type: StdType) -> None:
    """Write a checkpoint that rsl_rl 5.5.1 loads.

    Args:
        path: The file.
        learned: What to write, under our names.
        std_type: Whether `head.std_param` is the standard deviation or its logarithm.

    Raises:
        CheckpointError: There is a network of a kind that rsl_rl does not have.
        OutputError: It cannot be written.
    """

    def rename(key: str) -> str:
        return _their_name(key, std_type, str(path))

    networks: dict[str, dict[str, Tensor]] = {}
    for name, state in learned.networks.items():
        networks[name] = {rename(key): _their_value(key, value) for key, value in state.items()}
        if (variance := state.get("inputs.normalizer.var")) is not None:
            networks[name][_DERIVED] = variance.sqrt()[None]
    moments = {_in_network(name, rename): state for name, state in learned.moments.items()}
    write_checkpoint_file(Path(path), replace(learned, networks=networks, moments=moments))


def learned_by(state: Mapping[str, Any], cfg: OnPolicyRunnerCfg, iteration: int, infos: Any = None) -> Learned:
    """What the state of one of our algorithms holds that rsl_rl has too.

    Args:
        state: The algorithm's `state_dict()`.
        cfg: The run's config.
        iteration: Iterations done.
        infos: Plain values to keep beside it.
    """
    optimizer = state["optimizer"]
    indexed = zip(optimizer["param_groups"][0]["params"], _trained(state, cfg), strict=True)
    return Learned(
        networks={name: state[name] for name in ("actor", "critic")},
        moments={name: optimizer["state"][index] for index, name in indexed if index in optimizer["state"]},
        learning_rate=float(state["learning_rate"]),
        iteration=iteration,
        infos=infos,
    )


def adopt(state: Mapping[str, Any], cfg: OnPolicyRunnerCfg, learned: Learned) -> dict[str, Any]:
    """The state of one of our algorithms, with what was learned elsewhere in the place of what it has.

    Args:
        state: The algorithm's `state_dict()`.
        cfg: The run's config.
        learned: Networks of the same shapes, under our names.
    """
    optimizer = state["optimizer"]
    indexed = zip(optimizer["param_groups"][0]["params"], _trained(state, cfg), strict=True)
    moments = {index: dict(learned.moments[name]) for index, name in indexed if name in learned.moments}
    return {
        **state,
        **{name: dict(learned.networks[name]) for name in ("actor", "critic")},
        "optimizer": {**optimizer, "state": {**optimizer["state"], **moments}},
        "learning_rate": torch.as_tensor(learned.learning_rate),
        "num_updates": learned.iteration,
    }


def _trained(state: Mapping[str, Any], cfg: OnPolicyRunnerCfg) -> list[str]:
    """Names of what is trained of actor and critic, in the order in which the optimiser has them."""
    distribution = cfg.actor.distribution
    is_fixed = isinstance(distribution, GaussianCfg | SquashedGaussianCfg) and not distribution.learn_std
    fixed = ("actor.head.std_param",) if is_fixed else ()
    names = [f"{network}.{key}" for network in ("actor", "critic") for key in state[network]]
    moments = ("mean", "var", "count")
    return [name for name in names if not name.endswith(moments) and name not in fixed]


def _in_network(name: str, rename: Callable[[str], str]) -> str:
    """`actor.mlp.0.weight`, renamed behind the network."""
    network, _, key = name.partition(".")
    return f"{network}.{rename(key)}"


def _our_name(key: str, where: str) -> str:
    for theirs, ours in _PREFIXES:
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    raise CheckpointError(where, got=f"a parameter {key!r}", expected="networks of a kind that there is here")


def _their_name(key: str, std_type: StdType, where: str) -> str:
    if key == "head.std_param":
        return "distribution.std_param" if std_type == "scalar" else "distribution.log_std_param"
    if key == "inputs.normalizer.count":
        return "obs_normalizer.count"
    for theirs, ours in _PREFIXES:
        if key.startswith(ours):
            return theirs + key[len(ours) :]
    raise CheckpointError(where, got=f"a parameter {key!r}", expected="networks of a kind that rsl_rl has")


def _our_value(key: str, value: Tensor) -> Tensor:
    """Their moments of observations have an axis for the batch."""
    return value[0] if key.startswith("obs_normalizer._") else value


def _their_value(key: str, value: Tensor) -> Tensor:
    return value[None] if key in ("inputs.normalizer.mean", "inputs.normalizer.var") else value
