"""What can be set in the velocity task: the tree below `env.` on the command line. No torch here: this is data.

Terms, weights and ranges are those of Isaac Lab's `Isaac-Velocity-Flat-AnymalD` where nothing else is said, and for
`rough()` those of `Isaac-Velocity-Rough-AnymalD`; a field that departs from them gives its reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from fleetfoot.core.config import (
    IN_ORDER,
    Count,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveRange,
    Range,
    UnitInterval,
    config,
)
from fleetfoot.sim.config import SimCfg
from fleetfoot.sim.terrain.config import GeneratorCfg, PlaneCfg, TerrainCfg

__all__ = [
    "ActionsCfg",
    "CommandsCfg",
    "DrivesCfg",
    "EventsCfg",
    "HeightScanCfg",
    "ObservationsCfg",
    "RewardsCfg",
    "SceneCfg",
    "TerminationsCfg",
    "VelocityEnvCfg",
    "play_mode",
    "rough",
    "rough_blind",
]

_Payload = Annotated[FiniteFloat, Field(ge=-15.0, le=100.0)]
BaseMassOffset = Annotated[tuple[_Payload, _Payload], IN_ORDER]
"""Lowest and highest [kg]; the base has 26 kg of its own."""


@config
class SceneCfg:
    """How many robots there are, and what they walk on."""

    num_envs: Count = 256
    """Robots simulated at once. 256 rather than Isaac Lab's 4096: on two CPU cores it learns to walk soonest."""
    terrain: TerrainCfg = PlaneCfg()


@config
class DrivesCfg:
    """The joint controllers: torque = stiffness (target - q) - damping dq/dt, as far as the robot's motors can give it.

    What they can, at which speed, is the robot's: see `fleetfoot.robots.description.Drive`.
    """

    stiffness: PositiveFloat = 100.0
    """Torque per error of the joint's position [N m/rad]. Isaac Lab has a network for ANYmal's drives; its simple drive
    has 40, which lets our robot sag. At 80 the legs, heavy with the inertia of their rotors, follow later, and so does
    walking."""
    damping: NonNegativeFloat = 5.0
    """Torque per velocity of the joint [N m s/rad], as Isaac Lab's simple drive has. At 2 exploration
    makes the robot fall four times as often."""


@config
class HeightScanCfg:
    """Heights of the ground on a grid around the base that moves and turns with it, but does not tilt.

    Each is the height of the base above the ground there, less `offset`.
    """

    resolution: PositiveFloat = 0.1
    """Distance between neighbouring points [m]."""
    size: tuple[PositiveFloat, PositiveFloat] = (1.6, 1.0)
    """Extent of the grid along the robot and across it [m]: 17 by 11 points."""
    offset: FiniteFloat = 0.5
    """About the height of a standing base, so that flat ground reads about 0 [m]."""
    clip: PositiveFloat = 1.0
    """Readings are clipped to plus and minus this [m]."""
    noise: NonNegativeFloat = 0.1
    """Half the width of the noise on each reading of the policy [m]."""

    @property
    def shape(self) -> tuple[int, int]:
        """Points along the robot and across it."""
        along, across = (round(extent / self.resolution) + 1 for extent in self.size)
        return along, across

    @property
    def num_points(self) -> int:
        """All of them."""
        along, across = self.shape
        return along * across


@config
class ObservationsCfg:
    """Noise on what the policy senses: half the width of a uniform distribution. The critic's terms have none."""

    enable_corruption: bool = True
    """Whether there is noise at all."""
    base_lin_vel: NonNegativeFloat = 0.1
    """On the velocity of the base [m/s]."""
    base_ang_vel: NonNegativeFloat = 0.2
    """On the angular velocity of the base [rad/s]."""
    projected_gravity: NonNegativeFloat = 0.05
    """On the direction of gravity, a vector of length 1 in the frame of the base [1]."""
    joint_pos: NonNegativeFloat = 0.01
    """On the position of each joint [rad]."""
    joint_vel: NonNegativeFloat = 1.5
    """On the velocity of each joint [rad/s]."""
    height_scan: HeightScanCfg | None = None
    """What is seen of the ground around, in a group of this name; null for nothing."""
    blind: bool = False
    """Whether there is a group `sensors` as well, for a policy without what a robot cannot sense directly: the velocity
    of its base."""


@config
class ActionsCfg:
    """Joint position targets: default pose + scale * action."""

    scale: PositiveFloat = 0.5
    """How far the target moves per unit of action [rad]."""
    clip: PositiveFloat | None = None
    """Actions are clipped to plus and minus this; null for no limit."""


@config
class CommandsCfg:
    """The velocity that the robot is asked for, in the frame of its base."""

    resampling_time: PositiveRange = (10.0, 10.0)
    """Time until a new command is drawn [s]."""
    lin_vel_x: Range = (-1.0, 1.0)
    """Forwards [m/s]."""
    lin_vel_y: Range = (-1.0, 1.0)
    """To the left [m/s]."""
    ang_vel_z: Range = (-1.0, 1.0)
    """Turning to the left [rad/s]; also what a heading command is limited to."""
    heading: Range = (-3.141592653589793, 3.141592653589793)
    """Direction to turn to [rad]."""
    heading_stiffness: NonNegativeFloat = 0.5
    """Commanded yaw rate per heading error [1/s]."""
    rel_heading_envs: UnitInterval = 1.0
    """Fraction of commands that give a heading; the others give a yaw rate."""
    rel_standing_envs: UnitInterval = 0.02
    """Fraction of commands to stand still."""


@config
class RewardsCfg:
    """Weight of each reward term; the reward of a step is the weighted sum times its duration."""

    track_lin_vel_xy_exp: FiniteFloat = 1.0
    """exp(-|v* - v|^2 / tracking_std^2) of the velocity along x and y; at most 1."""
    track_ang_vel_z_exp: FiniteFloat = 0.5
    """exp(-(w* - w)^2 / tracking_std^2) of the yaw rate; at most 1."""
    lin_vel_z_l2: FiniteFloat = -2.0
    """Squared vertical velocity [m^2/s^2]."""
    ang_vel_xy_l2: FiniteFloat = -0.05
    """Squared roll and pitch rates [rad^2/s^2]."""
    dof_torques_l2: FiniteFloat = -2.5e-5
    """Sum of squared torques [N^2 m^2]."""
    dof_acc_l2: FiniteFloat = -2.5e-7
    """Sum of squared joint accelerations [rad^2/s^4]."""
    action_rate_l2: FiniteFloat = -0.01
    """Sum of squared changes of the actions from step to step."""
    feet_air_time: FiniteFloat = 0.5
    """Sum over landing feet of the time in the air beyond `air_time_threshold` [s]."""
    undesired_contacts: FiniteFloat = -1.0
    """Number of thighs that touch something."""
    flat_orientation_l2: FiniteFloat = -5.0
    """Squared sine of the tilt of the base."""
    dof_pos_limits: FiniteFloat = 0.0
    """Sum of how far joints are beyond their limits [rad]."""
    tracking_std: PositiveFloat = 0.5
    """Velocity error at which a tracking term has fallen to 1/e [m/s, rad/s]."""
    air_time_threshold: NonNegativeFloat = 0.25
    """Swing time beyond which a step is rewarded [s]. Isaac Lab has 0.5, which short steps never reach: they would only
    be punished for lifting feet."""
    floor: FiniteFloat | None = 0.0
    """The summed reward of a step is raised to at least this; null leaves it as Isaac Lab does. At the beginning the
    penalties outweigh the tracking: unclipped, a policy learns caution from them and long stands still."""


@config
class TerminationsCfg:
    """What ends an episode besides its time: base contact always does."""

    tilt_limit: PositiveFloat | None = 1.0
    """Angle of the base to the vertical [rad]; null for none, as in Isaac Lab. A robot on its side can hold its base
    off the ground with its legs: such episodes teach nothing, and last."""


@config
class EventsCfg:
    """What is random about the robots and what happens to them."""

    friction: PositiveRange = (0.6, 1.0)
    """Sliding friction of each robot, drawn once. Isaac Lab has 0.8 static and 0.6 dynamic for all; MuJoCo has one
    coefficient, and a range around them costs nothing. A resumed run keeps those it began with."""
    base_mass_offset: BaseMassOffset = (-5.0, 5.0)
    """Added to the mass of each robot's base, drawn once [kg]; its inertia grows in proportion. A resumed run keeps
    those it began with."""
    reset_position_xy: NonNegativeFloat = 0.5
    """Episodes begin within plus and minus this of the origin, along x and y [m]."""
    reset_yaw: NonNegativeFloat = 3.141592653589793
    """Episodes begin within plus and minus this heading [rad]."""
    reset_velocity: NonNegativeFloat = 0.5
    """Episodes begin with each velocity of the base within plus and minus this [m/s, rad/s]."""
    reset_joint_scale: Range = (0.5, 1.5)
    """Episodes begin in the default pose, each joint scaled by a factor from this range and kept within limits."""
    push_interval: PositiveRange | None = (10.0, 15.0)
    """Time between two pushes [s]; null for none."""
    push_velocity: NonNegativeFloat = 0.5
    """A push changes the base's velocity along x and y by up to this [m/s]."""


@config
class VelocityEnvCfg:
    """ANYmal C, asked to move at a velocity."""

    seed: NonNegativeInt | None = None
    """Everything random in the environment follows from it; null for the agent's seed."""
    decimation: Count = 4
    """Physics steps per control step: 50 Hz control at the default `sim.dt`."""
    episode_length_s: PositiveFloat = 20.0
    """Time after which an episode is truncated [s]."""
    scene: SceneCfg = SceneCfg()
    sim: SimCfg = SimCfg()
    drives: DrivesCfg = DrivesCfg()
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    commands: CommandsCfg = CommandsCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    events: EventsCfg = EventsCfg()


def rough() -> VelocityEnvCfg:
    """On slopes, stairs, boxes and rough ground that become harder as the robot gets better, and seen around it."""
    flat = VelocityEnvCfg()
    return replace(
        flat,
        scene=replace(flat.scene, terrain=GeneratorCfg()),
        observations=replace(flat.observations, height_scan=HeightScanCfg()),
        # Isaac Lab has a feet_air_time of 0.125 and no flat_orientation_l2, with which a few hundred robots learn to
        # run where they are sent and to fall.
        rewards=replace(flat.rewards, dof_torques_l2=-1e-5, flat_orientation_l2=-2.5),
    )


def rough_blind() -> VelocityEnvCfg:
    """The same for a policy that sees neither the ground nor its own velocity."""
    cfg = rough()
    return replace(cfg, observations=replace(cfg.observations, blind=True))


def play_mode(cfg: VelocityEnvCfg) -> VelocityEnvCfg:
    """The same task to watch or to judge a policy in: no noise, no pushes, and rough tiles of any difficulty."""
    terrain = cfg.scene.terrain
    if isinstance(terrain, GeneratorCfg):
        terrain = replace(terrain, curriculum=False, flat_rows=0, max_init_terrain_level=terrain.num_rows - 1)
    return replace(
        cfg,
        scene=replace(cfg.scene, terrain=terrain),
        observations=replace(cfg.observations, enable_corruption=False),
        events=replace(cfg.events, push_interval=None),
    )
