"""The policy contract in the words of mjlab: metadata keys with comma-separated text, which on-robot programs read.

Numbers have three decimals, as mjlab writes them, or as many as it takes to be exact; a pair is joined by `;`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["mjlab_properties"]

_PER_JOINT = ("joint_names", "joint_stiffness", "joint_damping", "default_joint_pos")


def mjlab_properties(contract: Mapping[str, Any]) -> dict[str, str]:
    """The keys of mjlab, as far as the contract can fill them; none for an environment without joints.

    `action_scale` is there only where what its readers do is right: actions move all joints in their order, and
    `default_joint_pos + action_scale * action` is their target.
    """
    if not contract.get("joint_names"):
        return {}
    columns: dict[str, Sequence[Any]] = {key: contract[key] for key in _PER_JOINT if key in contract}
    columns["command_names"] = contract.get("command_names", ())
    terms = contract["observations"]
    if all({"scale", "clip", "history"} <= term.keys() for term in terms):
        columns["observation_names"] = [term["name"] for term in terms]
        columns["observation_terms_scale"] = [term["scale"] for term in terms]
        columns["observation_terms_flatten_history_dim"] = [True] * len(terms)
        columns["observation_terms_history_length"] = [_history(term["history"]) for term in terms]
        columns["observation_terms_clip"] = [_clip(term["clip"]) for term in terms]
    if _moves_all_joints(contract):
        columns["action_scale"] = contract["actions"]["scale"]
    return {"run_path": "local", **{key: ",".join(map(_text, values)) for key, values in columns.items()}}


def _moves_all_joints(contract: Mapping[str, Any]) -> bool:
    actions = contract.get("actions", {})
    return (
        actions.get("names") == contract["joint_names"]
        and actions.get("offset") == contract.get("default_joint_pos")
        and "scale" in actions
    )


def _history(frames: int) -> int:
    """To mjlab the present alone is a history of 0."""
    return 0 if frames == 1 else frames


def _clip(bounds: Sequence[float | None] | None) -> tuple[float, float]:
    low, high = bounds or (None, None)
    return -math.inf if low is None else low, math.inf if high is None else high


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ";".join(map(_text, value))
    number = float(value)
    return f"{number:.3f}" if math.isinf(number) or round(number, 3) == number else repr(number)
