"""What a policy for an environment of mjlab must know, in the words of the policy contract (`fleetfoot.export`)."""

from __future__ import annotations

import math
from typing import Any

from mjlab.entity import Entity
from mjlab.envs import ManagerBasedRlEnv
from mjlab.envs.mdp.actions import JointPositionAction
from mjlab.envs.mdp.actions.actions import BaseAction

from fleetfoot.core.said import describe_joint_targets, describe_term

__all__ = ["action_names", "describe"]

_AFFINE = 1
"""mjBIAS_AFFINE: what a position servo has, whose gain is its stiffness and whose third bias is minus its damping."""


def action_names(env: ManagerBasedRlEnv) -> tuple[str, ...]:
    """What each action moves; empty where a term does not say."""
    names: list[str] = []
    for term in _action_terms(env):
        if not isinstance(term, BaseAction):
            return ()
        names += term.target_names
    return tuple(names)


def describe(env: ManagerBasedRlEnv, task: str, clip: float | None) -> dict[str, Any]:
    """The contract; what mjlab does not say is left out.

    Args:
        env: The environment.
        task: Its name.
        clip: What actions are kept within.
    """
    return {
        "task": task,
        **_describe_robot(env),
        **_describe_actions(env, clip),
        "command_names": list(env.command_manager.active_terms),
        "step_dt": float(env.step_dt),
        "decimation": env.cfg.decimation,
        "quaternion_order": "wxyz",
        "observations": _describe_observations(env),
    }


def _action_terms(env: ManagerBasedRlEnv) -> list[Any]:
    return [env.action_manager.get_term(name) for name in env.action_manager.active_terms]


def _describe_robot(env: ManagerBasedRlEnv) -> dict[str, Any]:
    """The entity that all actions move: its joints, and their servos if each has one."""
    moved = {term.cfg.entity_name for term in _action_terms(env)}
    if len(moved) != 1:
        return {}
    robot: Entity = env.scene[moved.pop()]
    joints = list(robot.joint_names)
    said = {"joint_names": joints, "default_joint_pos": robot.data.default_joint_pos[0].tolist()}
    of_joint = {actuator.target.split("/")[-1]: actuator.id for actuator in robot.spec.actuators}
    ids = [of_joint[joint] for joint in joints if joint in of_joint]
    model = env.sim.mj_model
    if len(ids) == len(joints) and all(model.actuator_biastype[ids] == _AFFINE):
        said["joint_stiffness"] = model.actuator_gainprm[ids, 0].tolist()
        said["joint_damping"] = (-model.actuator_biasprm[ids, 2]).tolist()
    return said


def _describe_actions(env: ManagerBasedRlEnv, clip: float | None) -> dict[str, Any]:
    """Targets of joints: `offset + scale * clip(action)`; left out where a term makes something else of an action."""
    terms = _action_terms(env)
    if not all(type(term) is JointPositionAction and term.cfg.clip is None for term in terms):
        return {}
    said = [(term.scale, term.offset, term.action_dim) for term in terms]
    return {"actions": describe_joint_targets(action_names(env), said, clip)}


def _describe_observations(env: ManagerBasedRlEnv) -> dict[str, list[dict[str, Any]]]:
    """The terms of flat groups as they lie in them."""
    manager = env.observation_manager
    groups: dict[str, list[dict[str, Any]]] = {}
    for group, shape in manager.group_obs_dim.items():
        if not isinstance(shape, tuple) or len(shape) != 1:
            continue
        groups[group], start = [], 0
        for term, size in zip(manager.active_terms[group], manager.group_obs_term_dim[group], strict=True):
            count, cfg = math.prod(size), manager.get_term_cfg(group, term)
            groups[group].append({"name": term, "start": start, "size": count, **describe_term(cfg)})
            start += count
    return groups
