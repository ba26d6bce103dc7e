"""Networks of rsl_rl and ours: the same tensors under other names.

    rsl_rl 5.x                                  fleetfoot
    obs_normalizer._mean, _var, count           inputs.normalizer.mean, var, count      (_std is the root of _var)
    cnns.<group>.0.weight                       inputs.encoders.<group>.layers.0.weight
    rnn.rnn.weight_ih_l0                        memory.rnn.weight_ih_l0
    mlp.0.weight                                network.layers.0.weight
    distribution.std_param, log_std_param       head.std_param

and of random network distillation

    state_normalizer._mean, …                   inputs.normalizer.mean, …
    reward_normalizer.emp_norm._mean, …         sums.mean, …
    predictor.0.weight, target.0.weight         predictor.layers.0.weight, target.layers.0.weight
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from fleetfoot.compat.checkpoint_file import Learned, read_checkpoint_file, write_checkpoint_file
from fleetfoot.compat.value_units import fold_scale, last_layer
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg, RunnerCfg

__all__ = ["load_rsl_rl_checkpoint", "save_rsl_rl_checkpoint"]

Moments: TypeAlias = Mapping[str, Tensor]


class _Rule(NamedTuple):
    """How a name begins there and here; `*` is a part that stays."""

    theirs: str
    ours: str
    is_batched: bool = False
    """Whether the tensor has an axis for the batch there."""

    def rename(self, key: str, *, to_ours: bool) -> str | None:
        """The other name; None if the key does not begin like this."""
        old, new = (self.theirs, self.ours) if to_ours else (self.ours, self.theirs)
        found = re.match(re.escape(old).replace(r"\*", "([^.]+)"), key)
        return None if found is None else new.replace("*", "".join(found.groups())) + key[found.end() :]


def _moments(theirs: str, ours: str, *, is_batched: bool) -> tuple[_Rule, ...]:
    return (
        _Rule(f"{theirs}._mean", f"{ours}.mean", is_batched),
        _Rule(f"{theirs}._var", f"{ours}.var", is_batched),
        _Rule(f"{theirs}.count", f"{ours}.count"),
    )


_STD = _Rule("distribution.std_param", "head.std_param")
_LOG_STD = _Rule("distribution.log_std_param", "head.std_param")
_OF_POLICIES = (
    *_moments("obs_normalizer", "inputs.normalizer", is_batched=True),
    _Rule("cnns.*.", "inputs.encoders.*.layers."),
    _Rule("rnn.rnn.", "memory.rnn."),
    _Rule("mlp.", "network.layers."),
)
_OF_CURIOSITY = (
    *_moments("state_normalizer", "inputs.normalizer", is_batched=True),
    *_moments("reward_normalizer.emp_norm", "sums", is_batched=False),
    _Rule("predictor.", "predictor.layers."),
    _Rule("target.", "target.layers."),
)
_DERIVED = "._std"
"""How the names of their tensors end that follow from others: the root of what is called `._var`."""


def load_rsl_rl_checkpoint(path: str | Path, *, device: torch.device | str = "cpu") -> Learned:
    """What a checkpoint of rsl_rl 2.3 to 5.5 holds, under our names: `networks` fit `load_state_dict` of ours.

    Raises:
        CheckpointError: The file is unreadable, no checkpoint of rsl_rl, or of networks that there are none like here.
    """
    theirs = read_checkpoint_file(Path(path), device=device)

    def rename(name: str, key: str) -> tuple[str, _Rule]:
        rules = _OF_CURIOSITY if name == "rnd" else (*_OF_POLICIES, _STD, _LOG_STD)
        for rule in rules:
            if (ours := rule.rename(key, to_ours=True)) is not None:
                return ours, rule
        raise CheckpointError(str(path), got=f"a parameter {key!r}", expected="networks of a kind that there is here")

    networks: dict[str, dict[str, Tensor]] = {}
    for name, state in theirs.networks.items():
        networks[name] = {}
        for key, x in state.items():
            if not key.endswith(_DERIVED):
                ours, rule = rename(name, key)
                networks[name][ours] = x[0] if rule.is_batched else x
    return replace(theirs, networks=networks, moments=_renamed(theirs.moments, rename))


def save_rsl_rl_checkpoint(path: str | Path, learned: Learned, cfg: RunnerCfg) -> None:
    """Write a checkpoint that rsl_rl 5.5.1 loads.

    Args:
        path: The file.
        learned: What to write, under our names.
        cfg: The run that it was learned in.

    Raises:
        CheckpointError: There is a network of a kind that rsl_rl does not have.
        OutputError: It cannot be written.
    """
    models = _models_of(cfg)
    _require_known_there(cfg, models, learned, str(path))
    if isinstance(cfg, OnPolicyRunnerCfg) and cfg.critic.value_normalization:
        learned = _in_units_of_rewards(learned)

    def rename(name: str, key: str) -> tuple[str, _Rule]:
        rules = _OF_CURIOSITY if name == "rnd" else (*_OF_POLICIES, _LOG_STD if _is_log(models[name]) else _STD)
        for rule in rules:
            if (theirs := rule.rename(key, to_ours=False)) is not None:
                return theirs, rule
        raise CheckpointError(str(path), got=f"a parameter {key!r}", expected="networks of a kind that rsl_rl has")

    networks: dict[str, dict[str, Tensor]] = {}
    for name, state in learned.networks.items():
        networks[name] = {}
        for key, x in state.items():
            theirs, rule = rename(name, key)
            networks[name][theirs] = x[None] if rule.is_batched else x
            if theirs.endswith("._var"):
                networks[name][theirs.removesuffix("._var") + _DERIVED] = networks[name][theirs].sqrt()
    write_checkpoint_file(Path(path), replace(learned, networks=networks, moments=_renamed(learned.moments, rename)))


def _renamed(moments: Mapping[str, Moments], rename: Callable[[str, str], tuple[str, _Rule]]) -> dict[str, Moments]:
    """What Adam remembers, by the other names of the parameters; behind the network they are renamed."""
    renamed: dict[str, Moments] = {}
    for parameter, state in moments.items():
        name, _, key = parameter.partition(".")
        renamed[f"{name}.{rename(name, key)[0]}"] = state
    return renamed


def _models_of(cfg: RunnerCfg) -> dict[str, ActorCfg | CriticCfg]:
    """The networks of a run that rsl_rl calls models."""
    if isinstance(cfg, OnPolicyRunnerCfg):
        return {"actor": cfg.actor, "critic": cfg.critic}
    return {"student": cfg.student, "teacher": cfg.teacher}


def _is_log(model: ActorCfg | CriticCfg) -> bool:
    """Whether a standard deviation that is a parameter is kept as its logarithm."""
    return (
        isinstance(model, ActorCfg)
        and isinstance(model.distribution, GaussianCfg)
        and model.distribution.std_type == "log"
    )


def _require_known_there(
    cfg: RunnerCfg, models: Mapping[str, ActorCfg | CriticCfg], learned: Learned, where: str
) -> None:
    """Refuse what would be taken for something else there, or for nothing."""
    expected = "something that rsl_rl has"
    if not isinstance(cfg, OnPolicyRunnerCfg) and cfg.more_teachers:
        raise CheckpointError(where, got=f"{len(cfg.teachers)} teachers", expected="one")
    for name, network in models.items():
        if isinstance(network, ActorCfg) and network.distribution.kind == "squashed_gaussian":
            raise CheckpointError(where, got=f"agent.{name}.distribution.kind=squashed_gaussian", expected=expected)
        memory = network.memory
        if memory is not None and (memory.kind == "attention" or network.cnn or network.cnn_by_group):
            images = "" if memory.kind == "attention" else " behind images"
            raise CheckpointError(where, got=f"agent.{name}.memory.kind={memory.kind}{images}", expected=expected)
    critic = learned.networks.get("critic")
    num_values = 1 if critic is None else len(critic[last_layer(critic)[1]])
    if num_values != 1:
        raise CheckpointError(where, got=f"a critic of {num_values} values", expected="one value")


def _in_units_of_rewards(learned: Learned) -> Learned:
    """The critic's own scale, folded into it; what Adam remembers of the critic is in its units, and left out."""
    networks = {**learned.networks, "critic": fold_scale(learned.networks["critic"])}
    moments = {name: state for name, state in learned.moments.items() if not name.startswith("critic.")}
    return replace(learned, networks=networks, moments=moments)
