"""What a policy for an environment of Isaac Lab must know, in the words of the policy contract (`fleetfoot.export`).

What Isaac Lab does not say is left out: a direct environment keeps to itself what it makes of actions, and what its
observations are. Axes: `N` environments, `J` joints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from isaaclab.envs.mdp.actions import JointAction, JointPositionAction
from isaaclab.envs.mdp.commands import NormalVelocityCommandCfg
from isaaclab.utils.string import resolve_matching_names_values

from fleetfoot.core.said import describe_joint_targets, describe_term

__all__ = ["action_names", "describe"]

_OF_DRIVES: Final = {
    "joint_stiffness": ("stiffness",),
    "joint_damping": ("damping",),
    "joint_effort_limit": ("actuator_effort_limit", "effort_limit"),
    "joint_velocity_limit": ("actuator_velocity_limit", "velocity_limit"),
    "joint_saturation_effort": ("saturation_effort",),
}
"""Key of the contract to what the config of an actuator model calls it, in the order in which that is looked at."""
_OF_SOLVER: Final = _OF_DRIVES | {
    "joint_effort_limit": ("joint_effort_limit", "effort_limit_sim", "effort_limit"),
    "joint_velocity_limit": ("joint_velocity_limit", "velocity_limit_sim", "velocity_limit"),
}
"""The same for drives that the solver simulates."""
_IN_SOLVER: Final = {
    "joint_stiffness": "joint_stiffness",
    "joint_damping": "joint_damping",
    "joint_effort_limit": "joint_effort_limits",
    "joint_velocity_limit": "joint_vel_limits",
}
"""What the solver has, from the robot's file, where such a config says nothing."""

_NO_LIMIT: Final = 1e9


def action_names(env: Any) -> tuple[str, ...]:
    """The joint that each action moves; empty where a term moves something else, or a direct environment does."""
    terms = _action_terms(env)
    if not all(isinstance(term, JointAction) for term in terms):
        return ()
    return tuple(name for term in terms for name in term._joint_names)  # it has no other word for them


def describe(env: Any, clip: float | None) -> dict[str, Any]:
    """The contract.

    Args:
        env: The environment.
        clip: What actions are kept within.
    """
    said = {"step_dt": float(env.step_dt), "decimation": int(env.cfg.decimation), "quaternion_order": "xyzw"}
    said |= _describe_robot(env)
    if not hasattr(env, "action_manager"):
        return said
    return said | _describe_actions(env, clip) | _describe_commands(env) | {"observations": _describe_terms(env)}


def _action_terms(env: Any) -> list[Any]:
    manager = getattr(env, "action_manager", None)
    return [] if manager is None else [manager.get_term(name) for name in manager.active_terms]


def _describe_robot(env: Any) -> dict[str, Any]:
    """The articulation that all actions move, or the only one there is: its joints and their drives."""
    moved = {getattr(term.cfg, "asset_name", None) for term in _action_terms(env)} or set(env.scene.articulations)
    if len(moved) != 1 or not moved <= set(env.scene.articulations):
        return {}
    robot = env.scene.articulations[moved.pop()]
    return {
        "joint_names": list(robot.joint_names),
        "default_joint_pos": robot.data.default_joint_pos.torch[0].tolist(),
        "joint_position_limit": [
            [_bound(low), _bound(high)] for low, high in robot.data.joint_pos_limits.torch[0].tolist()
        ],
        **dict(_describe_drives(robot)),
    }


def _bound(limit: float) -> float | None:
    """Newton's number for no limit is no limit."""
    return limit if abs(limit) < _NO_LIMIT else None


def _describe_drives(robot: Any) -> Iterator[tuple[str, list[float]]]:
    """What is known of the drives of all joints; a network in place of a drive has no gains.

    Configs are asked, not the robots: those may have been made different from each other.
    """
    for key in _OF_DRIVES:
        found: dict[str, float] = {}
        for cfg in robot.cfg.actuators.values():
            found |= _of_group(robot, cfg, key)
        if found.keys() >= set(robot.joint_names):
            yield key, [found[name] for name in robot.joint_names]


def _of_group(robot: Any, cfg: Any, key: str) -> dict[str, float]:
    """Joint to value, of the joints that share an actuator model; empty if it is not known."""
    ids, names = robot.find_joints(cfg.joint_names_expr)
    is_simulated = bool(getattr(cfg.class_type, "is_implicit_model", False))
    fields = (_OF_SOLVER if is_simulated else _OF_DRIVES)[key]
    value: Any = next((said for field in fields if (said := getattr(cfg, field, None)) is not None), None)
    if isinstance(value, int | float):
        return dict.fromkeys(names, float(value))
    if value is not None:
        _, matched, numbers = resolve_matching_names_values(value, names)
        return dict(zip(matched, map(float, numbers), strict=True))
    if not is_simulated or key not in _IN_SOLVER:
        return {}
    of_all = getattr(robot.data, _IN_SOLVER[key]).torch[0].tolist()
    return {name: of_all[index] for index, name in zip(ids, names, strict=True)}


def _describe_actions(env: Any, clip: float | None) -> dict[str, Any]:
    """Targets of joints: `offset + scale * clip(action)`; left out where a term makes something else of an action."""
    terms = _action_terms(env)
    if not all(type(term) is JointPositionAction and term.cfg.clip is None for term in terms):
        return {}
    said = [(term._scale, term._offset, term.action_dim) for term in terms]
    return {"actions": describe_joint_targets(action_names(env), said, clip)}


def _describe_commands(env: Any) -> dict[str, Any]:
    """Their names, and what each number of them is drawn from; with the command's name before it if there are more."""
    manager = env.command_manager
    cfgs = {name: manager.get_term(name).cfg for name in manager.active_terms}
    ranges = {
        (field if len(cfgs) == 1 else f"{name}.{field}"): list(bounds)
        for name, cfg in cfgs.items()
        if not isinstance(cfg, NormalVelocityCommandCfg)  # which has means and deviations there
        for field, bounds in _fields(getattr(cfg, "ranges", {})).items()
        if isinstance(bounds, tuple | list) and len(bounds) == 2
    }
    return {"command_names": list(cfgs), **({"command_ranges": ranges} if ranges else {})}


def _fields(ranges: Any) -> Mapping[str, Any]:
    return ranges if isinstance(ranges, Mapping) else vars(ranges)


def _describe_terms(env: Any) -> dict[str, list[dict[str, Any]]]:
    """The terms of flat groups as they lie in them; not of a group whose frames lie one after the other."""
    manager = env.observation_manager
    groups: dict[str, list[dict[str, Any]]] = {}
    for group, shape in manager.group_obs_dim.items():
        if not isinstance(shape, tuple) or len(shape) != 1 or manager._group_obs_time_major[group]:
            continue
        terms = zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True)
        groups[group], start = [], 0
        for (name, size), cfg in zip(terms, manager._group_obs_term_cfgs[group], strict=True):
            count = math.prod(size)
            groups[group].append({"name": name, "start": start, "size": count, **_describe_term(cfg)})
            start += count
    return groups


def _describe_term(cfg: Any) -> dict[str, Any]:
    """What is done to a term; unknown where modifiers do more."""
    return {} if cfg.modifiers else describe_term(cfg)
