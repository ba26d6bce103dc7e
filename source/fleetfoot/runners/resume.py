"""Going on from a checkpoint: each part of a run takes over what was saved of it, or says why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.core.vec_env import StatefulEnv
from fleetfoot.errors import CheckpointError
from fleetfoot.runners.checkpoint import Checkpoint
from fleetfoot.runners.policy import load_networks

__all__ = ["load_algorithm", "load_environment", "what_changed"]


def load_algorithm(
    algorithm: Algorithm,
    checkpoint: Checkpoint,
    own: Mapping[str, Any],
    device: torch.device,
    where: str,
    *,
    optimizer: bool,
) -> None:
    """Let the algorithm take over what all ranks share, and one rank's own part.

    Args:
        algorithm: As configured.
        checkpoint: The run.
        own: What one rank saved for itself.
        device: Where the run goes on.
        where: The file.
        optimizer: Also what decides the next update; else only the networks.

    Raises:
        CheckpointError: The state does not fit the algorithm, or the device.
    """
    if optimizer and checkpoint.metadata["device"] != device.type:
        raise CheckpointError(
            where,
            got=f"a run on {checkpoint.metadata['device']}, whose random numbers go on only there",
            expected=f"one on {device.type}",
            fix="Resume on the same kind of device, or begin a new run with its weights: leave --resume away.",
        )
    load_networks(checkpoint, algorithm.networks, where)
    try:
        algorithm.load_state_dict({**checkpoint.state["algorithm"], **own["algorithm"]}, optimizer=optimizer)
    except (RuntimeError, KeyError, ValueError) as error:
        fix = "Leave the overrides of agent.algorithm away: a checkpoint carries its config."
        expected = "the state of agent.algorithm as configured"
        raise CheckpointError(where, got=str(error), expected=expected, fix=fix) from None


def load_environment(env: StatefulEnv, state: Mapping[str, Any]) -> None:
    """Let the environment take over its state.

    Raises:
        CheckpointError: It is the state of another environment.
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


def what_changed(state: Mapping[str, Any], *, num_ranks: int, num_envs: int) -> str:
    """What keeps episodes from going on, in words; empty where they can."""
    now = {"ranks": num_ranks, "env.scene.num_envs": num_envs}
    saved = {"ranks": len(state["ranks"]), "env.scene.num_envs": state["num_envs"]}
    changed = [name for name in now if now[name] != saved[name]]
    return "; ".join(f"{name}: {now[name]} now, {saved[name]} when the checkpoint was saved" for name in changed)
