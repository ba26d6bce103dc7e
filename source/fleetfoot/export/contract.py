"""The policy contract: what whoever runs an exported policy must know, as plain JSON data.

It is made of a checkpoint's metadata and of the policy itself, and is checked before it is written. What the
environment does not say is left out; `null` is a bound or a limit that there is not.

    schema, schema_version          what this is; the version rises when keys change
    task, robot, iteration, env_steps, git, trained_with, config
    num_observations, observations  terms in the order that forms the input `obs`, each with its group, start, size,
                                    scale, offset, clip, history: `scale * clip(value + offset)`
    num_actions, actions            names, scale, offset, clip: target of `names[i]` is `offset + scale * clip(action)`
    joint_names, default_joint_pos, joint_stiffness, joint_damping, joint_{effort,velocity,position}_limit,
    joint_saturation_effort         torque left at speed w is joint_saturation_effort (1 - w / joint_velocity_limit)
    command_names, command_ranges, step_dt, decimation, quaternion_order
    normalizer_included             always true: observations go in as they are, their normaliser is in the file
    images                          name and shape of each image that goes in besides; what is known of it: its frames
                                    (one per control step, as channels one after the other), colours, and range
    recurrent_states                name and shape [layers, size] of each state that goes in as <name>_in, zeros at the
                                    start of an episode, and comes out as <name>_out
    parity_error                    largest difference to the trained policy, relative to actions above 1
    software                        versions of what exported
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fleetfoot import __version__
from fleetfoot.errors import ContractError
from fleetfoot.models.actor_critic import Actor

__all__ = ["SCHEMA", "SCHEMA_VERSION", "build_contract", "check_contract", "input_terms", "to_json"]

SCHEMA = "fleetfoot.policy"
SCHEMA_VERSION = 1

_PER_JOINT = (
    "default_joint_pos",
    "joint_stiffness",
    "joint_damping",
    "joint_effort_limit",
    "joint_saturation_effort",
    "joint_velocity_limit",
    "joint_position_limit",
)
_FROM_METADATA = ("iteration", "env_steps", "git")
_CONFIGS = ("agent_name", "agent", "env")
_PACKAGES = ("torch", "mujoco", "onnx", "onnxruntime", "numpy")


def build_contract(actor: Actor, metadata: Mapping[str, Any], *, parity_error: float) -> dict[str, Any]:
    """What a policy must be told, checked.

    Args:
        actor: The policy.
        metadata: The checkpoint's metadata, as far as there is any.
        parity_error: How far the exported file is from the policy.

    Raises:
        ContractError: The environment's description of itself does not fit the policy, or itself.
    """
    described = dict(metadata.get("policy_contract", {}))
    groups, pictures = described.pop("observations", {}), described.pop("images", {})
    contract = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "task": metadata.get("task") or described.get("task"),
        **{key: value for key, value in described.items() if key != "task"},
        "num_observations": actor.inputs.flat_size,
        "observations": input_terms(actor.inputs.groups, groups, metadata.get("observation_spec", {})),
        "images": [
            {"name": group, "shape": list(shape), **pictures.get(group, {})}
            for group, shape in actor.inputs.images.items()
        ],
        "num_actions": actor.head.num_actions,
        "normalizer_included": True,
        "recurrent_states": _states(actor),
        "parity_error": parity_error,
        "software": _software(),
        "trained_with": dict(metadata.get("versions", {})),
        **{key: metadata[key] for key in _FROM_METADATA if key in metadata},
        "config": {key: metadata[key] for key in _CONFIGS if key in metadata},
    }
    contract = _bounded(contract)
    check_contract(contract)
    return contract


def input_terms(
    groups: Sequence[str], described: Mapping[str, Sequence[Mapping[str, Any]]], spec: Mapping[str, Sequence[int]]
) -> list[dict[str, Any]]:
    """Terms of a policy's groups, one group after the other, as they lie in its input.

    A group that nobody describes is one term of which only the place is known.

    Args:
        groups: What the policy reads.
        described: Group to its terms, as the environment describes them.
        spec: Group to its shape.
    """
    flat: list[dict[str, Any]] = []
    for group in groups:
        start = sum(term["size"] for term in flat)
        unknown = [{"name": group, "start": 0, "size": math.prod(spec[group])}] if group in spec else []
        flat += [{**term, "group": group, "start": start + term["start"]} for term in described.get(group, unknown)]
    return flat


def check_contract(contract: Mapping[str, Any]) -> None:
    """Refuse a contract that contradicts itself; whoever loads one should call this too.

    Raises:
        ContractError: It is of another schema, numbers are missing or too many, or terms leave gaps.
    """
    found = f"{contract.get('schema')} {contract.get('schema_version')}"
    _expect(found == f"{SCHEMA} {SCHEMA_VERSION}", "schema", found, f"{SCHEMA} {SCHEMA_VERSION}")
    _check_observations(contract["observations"], contract["num_observations"])
    actions = contract.get("actions", {})
    for key in ("names", "scale", "offset"):
        if key in actions:
            _check_length(f"actions.{key}", actions[key], contract["num_actions"])
    for key in _PER_JOINT:
        if key in contract:
            _check_length(key, contract[key], len(contract.get("joint_names", ())))
    if "step_dt" in contract:
        step_dt = contract["step_dt"]
        _expect(isinstance(step_dt, int | float) and step_dt > 0, "step_dt", step_dt, "a time above zero [s]")
    to_json(contract)


def to_json(contract: Mapping[str, Any]) -> str:
    """The contract as strict JSON.

    Raises:
        ContractError: It holds what JSON has no word for.
    """
    try:
        return json.dumps(contract, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractError(
            "policy_contract", got=str(error), expected="plain JSON data with finite numbers", fix="Correct it."
        ) from None


def _states(actor: Actor) -> list[dict[str, Any]]:
    memory = actor.memory
    shapes = ([x.shape[0], x.shape[2]] for x in memory.initial_state(1, "cpu"))
    return [{"name": name, "shape": shape} for name, shape in zip(memory.state_names, shapes, strict=True)]


def _software() -> dict[str, str]:
    versions = {"python": platform.python_version(), "fleetfoot": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue  # not needed for what was exported
    return versions


def _bounded(value: Any) -> Any:
    """The same data, with `None` for bounds at infinity, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _bounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def _check_observations(terms: Sequence[Mapping[str, Any]], size: int) -> None:
    end = 0
    for term in terms:
        where = f"observations.{term['name']}.start"
        _expect(term["start"] == end, where, term["start"], f"{end}, where the term before it ends")
        end += term["size"]
    _expect(not terms or end == size, "observations", f"terms of {end} numbers", f"{size}, what the policy takes")


def _check_length(key: str, values: Sequence[Any], length: int) -> None:
    _expect(len(values) == length, key, f"{len(values)} values", f"{length}, one for each")


def _expect(holds: bool, key: str, got: object, expected: str) -> None:
    if not holds:
        fix = "Correct what the environment says of itself in policy_contract()."
        raise ContractError(f"policy_contract: {key}", got=got, expected=expected, fix=fix)
