"""Teachers from checkpoints: found, and compared with what the student's run expects of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fleetfoot.core.vec_env import DescribedEnv, VecEnv
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.export.contract import input_terms
from fleetfoot.runners.checkpoint import Checkpoint, load_checkpoint
from fleetfoot.runners.config import DistillationRunnerCfg, decode_agent, trained_policy
from fleetfoot.runners.restore import check_same_network

__all__ = ["Teacher", "read_teachers"]

_PLACE = frozenset({"group", "start", "noise"})
"""What may differ between a term that a teacher was trained on and the one that it reads now."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A trained policy that fits."""

    name: str
    """Its path below `agent.`, as `teacher`."""
    path: Path
    checkpoint: Checkpoint
    source: str
    """What it is called in the checkpoint: `actor` or `student`."""


def read_teachers(
    paths: Sequence[str | Path], cfg: DistillationRunnerCfg, env: VecEnv, device: torch.device | str
) -> list[Teacher]:
    """Read the teachers of a run.

    Args:
        paths: A checkpoint for each.
        cfg: The run.
        env: What the student learns in.
        device: Where the parameters go.

    Raises:
        CheckpointError: A file is unreadable, or of an environment with other actions.
        ConfigError: There are more or fewer teachers than the config says, or one is another network or reads other
            observations; names the field.
    """
    if len(paths) != len(cfg.teachers):
        got = f"{len(cfg.more_teachers)} of them, and {len(paths)} checkpoints"
        raise ConfigError("agent.more_teachers", got=got, expected="one teacher for each checkpoint")
    return [_read(Path(path), name, cfg, env, device) for path, name in zip(paths, cfg.teachers, strict=True)]


def _read(path: Path, name: str, cfg: DistillationRunnerCfg, env: VecEnv, device: torch.device | str) -> Teacher:
    checkpoint = load_checkpoint(path, device=device)
    policy = trained_policy(decode_agent(checkpoint.metadata["agent"], where=f"{path}: agent"))
    check_same_network(cfg.teachers[name], policy.cfg, f"agent.{name}", str(path))
    contract = _as_json(env.policy_contract()) if isinstance(env, DescribedEnv) else {}
    trained = checkpoint.metadata["policy_contract"]
    _check_inputs(
        input_terms(cfg.obs_groups.teacher, contract.get("observations", {}), env.observation_spec),
        input_terms(policy.groups, trained.get("observations", {}), checkpoint.metadata["observation_spec"]),
        path,
    )
    _check_actions(contract, env.action_spec.size, trained, checkpoint.metadata["num_actions"], path)
    return Teacher(name=name, path=path, checkpoint=checkpoint, source=policy.name)


def _check_inputs(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], path: Path) -> None:
    """The same numbers in the same order, as far as they are described; whatever the groups are called."""
    where, fix = "agent.obs_groups.teacher", "Name the groups that hold what the teacher was trained on."
    sizes = [sum(term["size"] for term in terms) for terms in (ours, theirs)]
    if sizes[0] != sizes[1]:
        expected = f"{sizes[1]}, which the teacher in {path} reads"
        raise ConfigError(where, got=f"{sizes[0]} numbers", expected=expected, fix=fix)
    if not all("scale" in term for term in (*ours, *theirs)):
        return  # only their places are known
    for own, other in zip(_compared(ours), _compared(theirs), strict=False):
        if own != other:
            expected = f"{other}, which the teacher in {path} reads there"
            raise ConfigError(where, got=f"the term {own}", expected=expected, fix=fix)


def _compared(terms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in term.items() if key not in _PLACE} for term in terms]


def _check_actions(
    ours: Mapping[str, Any], our_size: int, theirs: Mapping[str, Any], their_size: int, path: Path
) -> None:
    """As many actions, and of the same meaning as far as it is described."""
    if our_size != their_size:
        raise CheckpointError(str(path), got=f"trained with {their_size} actions", expected=f"{our_size}")
    ours, theirs = ours.get("actions", {}), theirs.get("actions", {})
    for key in ours:
        if key in theirs and ours[key] != theirs[key]:
            got, expected = f"a teacher whose actions have {key} {theirs[key]}", f"{ours[key]}, as here"
            raise CheckpointError(
                str(path), got=got, expected=expected, fix="Distil in the environment of the teacher."
            )


def _as_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """What comes back from a checkpoint's metadata."""
    return json.loads(json.dumps(data))
