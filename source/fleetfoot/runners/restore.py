"""Taking over a checkpoint: all of it, to go on with a run, or only the policy, to begin another run with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.core.config import encode
from fleetfoot.core.vec_env import StatefulEnv
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.models.config import ActorCfg, CriticCfg
from fleetfoot.runners.checkpoint import Checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg, RunnerCfg, decode_agent, trained_policy
from fleetfoot.runners.policy import load_networks

__all__ = [
    "check_same_network",
    "lend_critic",
    "lend_policy",
    "restore_algorithm",
    "restore_environment",
    "what_changed",
]

_MEANINGLESS = frozenset({"init_std", "std_range", "learn_std"})
"""Fields of a network's config that say nothing about what its parameters mean."""


def restore_algorithm(
    checkpoint: Checkpoint, own: Mapping[str, Any], algorithm: Algorithm, cfg: RunnerCfg, device: str, where: str
) -> None:
    """Everything that decides the next update: what all ranks share, and one rank's own part.

    Args:
        checkpoint: Where it is.
        own: What one rank saved for itself.
        algorithm: Where it goes.
        cfg: What the algorithm was built from.
        device: What kind of device it is on, as `cpu`.
        where: The file.

    Raises:
        CheckpointError: It is of a run of another kind, on another kind of device, or of another size.
    """
    saved = checkpoint.metadata
    anew = "begin a new run with its weights: leave --resume away."
    if saved["agent"]["kind"] != cfg.kind:
        got = f"a run of kind {saved['agent']['kind']}"
        raise CheckpointError(where, got=got, expected=f"one of kind {cfg.kind}", fix=anew.capitalize())
    if saved["device"] != device:
        raise CheckpointError(
            where,
            got=f"a run on {saved['device']}, whose random numbers go on only there",
            expected=f"one on {device}",
            fix=f"Resume on the same kind of device, or {anew}",
        )
    load_networks(checkpoint, algorithm.networks, where)
    try:
        algorithm.load_state_dict({**checkpoint.state["algorithm"], **own["algorithm"]})
    except (RuntimeError, KeyError, ValueError) as error:
        fix = "Leave the overrides of agent.algorithm away: a checkpoint carries its config."
        expected = "the state of agent.algorithm as configured"
        raise CheckpointError(where, got=str(error), expected=expected, fix=fix) from None


def restore_environment(env: StatefulEnv, state: Mapping[str, Any]) -> None:
    """The whole state of the environments.

    Raises:
        CheckpointError: It is that of other ones.
    """
    try:
        env.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            "the environment's state",
            got=f"{type(error).__name__}: {error}",
            expected="that of an environment with this config",
            fix="Leave the overrides of env away, or begin a new run with its weights: leave --resume away.",
        ) from error


def lend_policy(checkpoint: Checkpoint, cfg: RunnerCfg, networks: Mapping[str, nn.Module], where: str) -> None:
    """The policy of another run, whether it is called actor or student in either; and the critic if both have one.

    Args:
        checkpoint: The other run.
        cfg: The config of the run that begins.
        networks: Its networks, which the parameters are copied into.
        where: The file.

    Raises:
        ConfigError: The policy here reads other observations, or is another network; names the field.
        CheckpointError: The parameters have other shapes.
    """
    theirs = trained_policy(decode_agent(checkpoint.metadata["agent"], where=f"{where}: agent"))
    ours = trained_policy(cfg)
    _check_same_groups(ours.groups, theirs.groups, ours.name, f"the policy of {where}")
    check_same_network(ours.cfg, theirs.cfg, f"agent.{ours.name}", where)
    load_networks(checkpoint, {theirs.name: networks[ours.name]}, where)
    if "critic" in networks and "critic" in checkpoint.state["algorithm"]:
        load_networks(checkpoint, {"critic": networks["critic"]}, where)


def lend_critic(checkpoint: Checkpoint, cfg: OnPolicyRunnerCfg, critic: nn.Module, where: str) -> None:
    """The critic of another run, whose policy is about as good as the one that goes on here.

    Args:
        checkpoint: The other run.
        cfg: The config of the run that begins.
        critic: Its critic, which the parameters are copied into.
        where: The file.

    Raises:
        ConfigError: The critic here reads other observations, or is another network; names the field.
        CheckpointError: The other run has no critic, or one with other shapes.
    """
    theirs = decode_agent(checkpoint.metadata["agent"], where=f"{where}: agent")
    if not isinstance(theirs, OnPolicyRunnerCfg):
        raise CheckpointError(where, got=f"a run of kind {theirs.kind}, without a critic", expected="one that has one")
    _check_same_groups(cfg.obs_groups.critic, theirs.obs_groups.critic, "critic", f"the critic of {where}")
    check_same_network(cfg.critic, theirs.critic, "agent.critic", where)
    load_networks(checkpoint, {"critic": critic}, where)


def _check_same_groups(ours: Sequence[str], theirs: Sequence[str], name: str, reader: str) -> None:
    if ours != theirs:
        expected = f"{list(theirs)}, which {reader} reads"
        raise ConfigError(f"agent.obs_groups.{name}", got=list(ours), expected=expected)


def what_changed(state: Mapping[str, Any], *, num_ranks: int, num_envs: int) -> str:
    """What keeps episodes from going on, in words; empty where they can."""
    now = {"ranks": num_ranks, "env.scene.num_envs": num_envs}
    saved = {"ranks": len(state["ranks"]), "env.scene.num_envs": state["num_envs"]}
    changed = [name for name in now if now[name] != saved[name]]
    return "; ".join(f"{name}: {now[name]} now, {saved[name]} when the checkpoint was saved" for name in changed)


def check_same_network(ours: ActorCfg | CriticCfg, theirs: ActorCfg | CriticCfg, where: str, path: str) -> None:
    """Refuse to copy parameters into a network in which they would mean something else.

    Args:
        ours: The network here.
        theirs: The one in the checkpoint.
        where: The path of ours, as `agent.actor`.
        path: The file.

    Raises:
        ConfigError: Names the first field that differs.
    """
    difference = _first_difference(encode(ours), encode(theirs), where)
    if difference:
        field, got, expected = difference[0], *map(_as_typed, difference[1:])
        raise ConfigError(field, got=got, expected=f"{expected}, as in {path}", fix=f"Pass {field}={expected}.")


def _as_typed(value: Any) -> str:
    """As it would be written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _first_difference(one: Any, other: Any, path: str) -> tuple[str, Any, Any] | None:
    """The path where two configs differ as plain data, and both values."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return None if one == other else (path, one, other)
    for name in [*one, *(name for name in other if name not in one)]:
        if name not in _MEANINGLESS and (found := _first_difference(one.get(name), other.get(name), f"{path}.{name}")):
            return found
    return None
