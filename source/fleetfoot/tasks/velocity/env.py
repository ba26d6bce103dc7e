"""The velocity task: its config bound to its terms, over MuJoCo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import mujoco
import torch
from torch import Tensor

from fleetfoot.envs.task import ActionMap, Command, IntervalEvent, Memory, ObsTerm, RewardTerm, Task, TerminationTerm
from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.description import RobotDescription
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot.sim.batch import MujocoBatch
from fleetfoot.sim.simulator import Simulator
from fleetfoot.tasks.velocity import draws, terms
from fleetfoot.tasks.velocity.config import EventsCfg, VelocityEnvCfg
from fleetfoot.tasks.velocity.ground import Ground, make_ground
from fleetfoot.tasks.velocity.mirrors import mirrors
from fleetfoot.tasks.velocity.state import Layout, RobotState, quadratic_forms

__all__ = ["make_env"]

_LEGS = ("LF", "LH", "RF", "RH")


def make_env(
    cfg: VelocityEnvCfg, *, device: torch.device | str, seed: int, name: str = "Anymal"
) -> TaskEnv[RobotState]:
    """ANYmal C on flat or rough ground.

    Args:
        cfg: The task.
        device: Where the tensors live; the physics is on the CPU.
        seed: Everything random follows from it, unless the config has a seed of its own.
        name: The task's, which goes into what is exported.
    """
    ground = make_ground(cfg, device)
    robot = _with_drives(ANYMAL_C, stiffness=cfg.drives.stiffness, damping=cfg.drives.damping)
    # What is only looked at slows stepping down; the film's scene has the same state.
    text = to_mjcf(robot, terrain=ground.field, timestep=cfg.sim.dt, visuals=False)
    model = mujoco.MjModel.from_xml_string(text)
    sim = MujocoBatch(model, cfg.scene.num_envs, num_threads=cfg.sim.num_threads, device=device)
    task = _task(cfg, name, robot, _layout(robot, model, sim), model, ground)
    return TaskEnv(task, sim, seed=seed if cfg.seed is None else cfg.seed)


def _with_drives(robot: RobotDescription, *, stiffness: float, damping: float) -> RobotDescription:
    joints = tuple(
        replace(joint, drive=replace(joint.drive, stiffness=stiffness, damping=damping)) for joint in robot.joints
    )
    return replace(robot, joints=joints)


def _layout(robot: RobotDescription, model: mujoco.MjModel, sim: MujocoBatch) -> Layout:
    def column(sensor: str, offset: int = 0) -> int:
        return sim.sensor_columns(sensor).start + offset

    def indices(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=sim.device)

    feet, thighs = ([f"{leg}_{part}" for leg in _LEGS] for part in ("FOOT", "thigh"))
    addresses = [model.joint(name).id for name in robot.joint_names]
    limits = [[joint.range[i] for joint in robot.joints] for i in range(2)]
    return Layout(
        joint_qpos=indices([int(model.jnt_qposadr[i]) for i in addresses]),
        joint_qvel=indices([int(model.jnt_dofadr[i]) for i in addresses]),
        found=indices([column(f"{name}_contact") for name in (*feet, *thighs, "base")]),
        foot_force_z=indices([column(f"{foot}_contact", 3) for foot in feet]),
        default_joint_pos=torch.tensor(robot.default_joint_pos, device=sim.device),
        joint_limits=torch.tensor(limits, device=sim.device),
        forms=quadratic_forms(sim.device),
    )


def _task(
    cfg: VelocityEnvCfg, name: str, robot: RobotDescription, layout: Layout, model: mujoco.MjModel, ground: Ground
) -> Task[RobotState]:
    device = layout.default_joint_pos.device
    num_joints = len(robot.joints)
    low, high = draws.initial_bounds(cfg.events, num_joints, device)
    step_dt = cfg.sim.dt * cfg.decimation
    rewards = _rewards(cfg, step_dt)
    return Task(
        name=name,
        step_dt=step_dt,
        decimation=cfg.decimation,
        episode_length_s=cfg.episode_length_s,
        view=partial(RobotState.of, layout=layout),
        actions=ActionMap(
            names=robot.joint_names,
            offset=robot.default_joint_pos,
            scale=(cfg.actions.scale,) * num_joints,
            clip=cfg.actions.clip,
        ),
        observations=_observations(cfg, num_joints, ground.scan),
        rewards=rewards,
        reward_floor=cfg.rewards.floor,
        terminations=_terminations(cfg),
        metrics=_metrics(rewards),
        command=_command(cfg, device),
        curriculum=ground.curriculum,
        memory={"air_time": Memory(size=len(_LEGS), fn=partial(terms.air_time, step_dt=step_dt))},
        events=_events(cfg.events),
        startup=partial(_startup, cfg=cfg.events, model=model),
        initial_state=partial(
            draws.draw_initial_state,
            layout=layout,
            base_height=robot.default_base_height,
            low=low,
            high=high,
            num_qpos=model.nq,
        ),
        mirrors=mirrors(robot, _LEGS, cfg.observations.height_scan),
        contract={**_contract(cfg, robot), **ground.contract},
        scene=to_mjcf(robot, terrain=ground.field, timestep=cfg.sim.dt),
    )


def _observations(
    cfg: VelocityEnvCfg, num_joints: int, scan: tuple[ObsTerm[RobotState], ...]
) -> dict[str, tuple[ObsTerm[RobotState], ...]]:
    noise = cfg.observations
    on = float(noise.enable_corruption)
    policy: tuple[ObsTerm[RobotState], ...] = (
        ObsTerm(name="base_lin_vel", fn=lambda state: state.root_lin_vel_b, size=3, noise=on * noise.base_lin_vel),
        ObsTerm(name="base_ang_vel", fn=lambda state: state.root_ang_vel_b, size=3, noise=on * noise.base_ang_vel),
        ObsTerm(
            name="projected_gravity",
            fn=lambda state: state.projected_gravity_b,
            size=3,
            noise=on * noise.projected_gravity,
        ),
        ObsTerm(name="velocity_commands", fn=lambda state: state.command, size=3),
        ObsTerm(name="joint_pos", fn=lambda state: state.joint_pos, size=num_joints, noise=on * noise.joint_pos),
        ObsTerm(name="joint_vel", fn=lambda state: state.joint_vel, size=num_joints, noise=on * noise.joint_vel),
        ObsTerm(name="actions", fn=lambda state: state.actions, size=num_joints),
    )
    privileged: tuple[ObsTerm[RobotState], ...] = (
        ObsTerm(name="feet_load", fn=lambda state: state.foot_load, size=len(_LEGS), scale=1e-2),
        ObsTerm(name="feet_air_time", fn=lambda state: state.previous_air_time, size=len(_LEGS)),
        ObsTerm(name="torques", fn=lambda state: state.torques, size=num_joints, scale=1e-2),
        ObsTerm(name="friction", fn=lambda state: state.frame.constants["friction"], size=1),
        ObsTerm(name="base_mass_offset", fn=lambda state: state.frame.constants["base_mass_offset"], size=1, scale=0.1),
    )
    critic = (*(replace(term, noise=0.0) for term in policy), *privileged)
    groups = {"policy": policy, "critic": critic}
    if scan:
        groups["height_scan"] = scan
    if noise.blind:
        groups["sensors"] = tuple(term for term in policy if term.name != "base_lin_vel")
    return groups


def _rewards(cfg: VelocityEnvCfg, step_dt: float) -> tuple[RewardTerm[RobotState], ...]:
    weights = cfg.rewards
    std = weights.tracking_std
    air_time = partial(terms.feet_air_time, threshold=weights.air_time_threshold, step_dt=step_dt)
    functions = {
        "track_lin_vel_xy_exp": (partial(terms.track_lin_vel_xy_exp, std=std), weights.track_lin_vel_xy_exp),
        "track_ang_vel_z_exp": (partial(terms.track_ang_vel_z_exp, std=std), weights.track_ang_vel_z_exp),
        "lin_vel_z_l2": (terms.lin_vel_z_l2, weights.lin_vel_z_l2),
        "ang_vel_xy_l2": (terms.ang_vel_xy_l2, weights.ang_vel_xy_l2),
        "dof_torques_l2": (terms.dof_torques_l2, weights.dof_torques_l2),
        "dof_acc_l2": (terms.dof_acc_l2, weights.dof_acc_l2),
        "action_rate_l2": (terms.action_rate_l2, weights.action_rate_l2),
        "feet_air_time": (air_time, weights.feet_air_time),
        "undesired_contacts": (terms.undesired_contacts, weights.undesired_contacts),
        "flat_orientation_l2": (terms.flat_orientation_l2, weights.flat_orientation_l2),
        "dof_pos_limits": (terms.dof_pos_limits, weights.dof_pos_limits),
    }
    return tuple(
        RewardTerm(name=name, fn=fn, weight=weight, group="tracking" if name.startswith("track_") else "style")
        for name, (fn, weight) in functions.items()
    )


def _terminations(cfg: VelocityEnvCfg) -> tuple[TerminationTerm[RobotState], ...]:
    contact: TerminationTerm[RobotState] = TerminationTerm(name="base_contact", fn=lambda state: state.base_contact)
    limit = cfg.terminations.tilt_limit
    if limit is None:
        return (contact,)
    return (contact, TerminationTerm(name="tilt", fn=partial(terms.is_tilted, limit=limit)))


def _metrics(rewards: tuple[RewardTerm[RobotState], ...]) -> dict[str, Callable[[RobotState], Tensor]]:
    functions = {term.name: term.fn for term in rewards}
    return {
        "Metrics/track_lin_vel": functions["track_lin_vel_xy_exp"],
        "Metrics/track_ang_vel": functions["track_ang_vel_z_exp"],
        "Metrics/error_vel_xy": terms.lin_vel_error,
        "Metrics/error_vel_yaw": terms.ang_vel_error,
    }


def _command(cfg: VelocityEnvCfg, device: torch.device) -> Command[RobotState]:
    low, high = draws.target_bounds(cfg.commands, device)
    return Command(
        size=3,
        interval_s=cfg.commands.resampling_time,
        sample=partial(draws.draw_targets, cfg=cfg.commands, low=low, high=high),
        resolve=partial(
            terms.resolve_command, stiffness=cfg.commands.heading_stiffness, yaw_rate_range=cfg.commands.ang_vel_z
        ),
        rebind=RobotState.under,
    )


def _events(cfg: EventsCfg) -> tuple[IntervalEvent, ...]:
    if cfg.push_interval is None:
        return ()
    apply = partial(draws.push, velocity=cfg.push_velocity)
    return (IntervalEvent(name="push", interval_s=cfg.push_interval, apply=apply),)


def _startup(
    sim: Simulator, generator: torch.Generator, *, cfg: EventsCfg, model: mujoco.MjModel
) -> Mapping[str, Tensor]:
    """Give every robot a friction and a payload of its own; returns both, `[N, 1]` each."""
    low = torch.tensor([cfg.friction[0], cfg.base_mass_offset[0]], device=sim.device)
    high = torch.tensor([cfg.friction[1], cfg.base_mass_offset[1]], device=sim.device)
    friction, offset = draws.uniform(sim.num_envs, low, high, generator).split(1, dim=1)
    base = model.body("base").id
    sliding, mass, inertia = (_repeated(v, sim) for v in (model.geom_friction, model.body_mass, model.body_inertia))
    sliding[:, :, 0] = friction
    ratio = 1.0 + offset / mass[:, base, None]
    mass[:, base] *= ratio[:, 0]
    inertia[:, base] *= ratio
    sim.write_fields({"geom_friction": sliding, "body_mass": mass, "body_inertia": inertia})
    return {"friction": friction.clone(), "base_mass_offset": offset.clone()}


def _repeated(values: Any, sim: Simulator) -> Tensor:
    field = torch.as_tensor(values, device=sim.device)
    return field.expand(sim.num_envs, *field.shape).clone()


def _contract(cfg: VelocityEnvCfg, robot: RobotDescription) -> dict[str, Any]:
    drives = [joint.drive for joint in robot.joints]
    return {
        "robot": robot.name,
        "joint_names": list(robot.joint_names),
        "default_joint_pos": list(robot.default_joint_pos),
        "joint_stiffness": [drive.stiffness for drive in drives],
        "joint_damping": [drive.damping for drive in drives],
        "joint_effort_limit": [drive.effort_limit for drive in drives],
        "joint_saturation_effort": [drive.saturation_effort for drive in drives],
        "joint_velocity_limit": [drive.velocity_limit for drive in drives],
        "joint_position_limit": [list(joint.range) for joint in robot.joints],
        "quaternion_order": "wxyz",
        "command_names": ["base_velocity"],
        "command_ranges": {
            "lin_vel_x": list(cfg.commands.lin_vel_x),
            "lin_vel_y": list(cfg.commands.lin_vel_y),
            "ang_vel_z": list(cfg.commands.ang_vel_z),
            "heading": list(cfg.commands.heading),
        },
    }
