"""What is drawn at random in the velocity task: commands, where episodes begin, pushes, and robots that differ.

Axes: `n` environments, `J` joints, `Q` positions, `V` velocities.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fleetfoot.sim.simulator import Simulator
from fleetfoot.tasks.velocity.config import CommandsCfg, EventsCfg
from fleetfoot.tasks.velocity.state import Layout

__all__ = ["draw_initial_state", "draw_targets", "push", "uniform"]


def uniform(n: int, low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """Each of `D` numbers uniformly between its own bounds `[D]`, `[n, D]`."""
    return torch.rand(n, len(low), generator=generator, device=low.device).mul_(high - low).add_(low)


def draw_targets(n: int, generator: torch.Generator, *, cfg: CommandsCfg, low: Tensor, high: Tensor) -> Tensor:
    """Targets for `terms.resolve_command`, `[n, 5]`: standing robots are asked for a yaw rate of zero, and no heading.

    Args:
        n: How many.
        generator: What they are drawn from.
        cfg: The fractions of heading and of standing commands.
        low: Smallest x, y velocity, yaw rate, heading, and twice 0, `[6]`.
        high: The largest of them, and twice 1.
    """
    draw = uniform(n, low, high, generator)
    moves = draw[:, 5] >= cfg.rel_standing_envs
    draw[:, 4] = (draw[:, 4] < cfg.rel_heading_envs) & moves
    draw[:, :3] *= moves[:, None]
    return draw[:, :5]


def draw_initial_state(
    n: int, generator: torch.Generator, *, layout: Layout, base_height: float, low: Tensor, high: Tensor, num_qpos: int
) -> tuple[Tensor, Tensor]:
    """Where episodes begin: near the origin, turned and moving at random, in a disturbed default pose.

    Args:
        n: How many.
        generator: What they are drawn from.
        layout: Default pose, limits and order of the joints.
        base_height: [m]
        low: Smallest x, y [m], half yaw [rad], six base velocities [m/s, rad/s], scale of each joint, `[9 + J]`.
        high: The largest of them.
        num_qpos: `Q`.

    Returns:
        qpos `[n, Q]` and qvel `[n, V]`.
    """
    draw = uniform(n, low, high, generator)
    qpos = draw.new_zeros(n, num_qpos)
    qpos[:, :2] = draw[:, :2]
    qpos[:, 2] = base_height
    qpos[:, 3] = torch.cos(draw[:, 2])
    qpos[:, 6] = torch.sin(draw[:, 2])
    joints = torch.clamp(draw[:, 9:] * layout.default_joint_pos, *layout.joint_limits)
    qpos.index_copy_(1, layout.joint_qpos, joints)
    qvel = draw.new_zeros(n, num_qpos - 1)
    qvel[:, :6] = draw[:, 3:9]
    return qpos, qvel


def push(sim: Simulator, ids: Tensor, generator: torch.Generator, *, velocity: float) -> None:
    """Change the horizontal velocity of the bases `ids` `[n]` by up to `velocity` [m/s] along x and along y."""
    delta = torch.empty(len(ids), 2, device=ids.device).uniform_(-velocity, velocity, generator=generator)
    sim.add_velocity(ids, delta)


def initial_bounds(cfg: EventsCfg, num_joints: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """`low` and `high` of `draw_initial_state`, `[9 + J]` each."""
    spread = [cfg.reset_position_xy] * 2 + [0.5 * cfg.reset_yaw] + [cfg.reset_velocity] * 6
    low = [-value for value in spread] + [cfg.reset_joint_scale[0]] * num_joints
    high = spread + [cfg.reset_joint_scale[1]] * num_joints
    return torch.tensor(low, device=device), torch.tensor(high, device=device)


def target_bounds(cfg: CommandsCfg, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """`low` and `high` of `draw_targets`, `[6]` each."""
    ranges = (cfg.lin_vel_x, cfg.lin_vel_y, cfg.ang_vel_z, cfg.heading, (0.0, 1.0), (0.0, 1.0))
    low, high = zip(*ranges, strict=True)
    return torch.tensor(low, device=device), torch.tensor(high, device=device)
