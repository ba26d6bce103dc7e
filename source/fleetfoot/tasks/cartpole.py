"""Cartpole: balance a pole on a cart. The whole task in one file, as a template for yours.

A task is a config, the robot as MJCF, small functions of a state, and a `TaskSpec` that ties them together. Rewards,
observations and limits are those of Isaac Lab's `Isaac-Cartpole`.

Torch and MuJoCo are imported in `make_env` only, so that listing tasks and `--help` are instant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, final

from fleetfoot.algorithms.config import AdaptiveKlCfg, DistillationCfg, LinearCfg, MixingCfg, PpoCfg
from fleetfoot.core.config import Count, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveFloat, config
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.sim.config import SimCfg
from fleetfoot.tasks.registry import TaskSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.envs.task import Frame, Task

__all__ = ["TASK"]

SCENE = """
<mujoco model="cartpole">
  <option timestep="{dt}" integrator="implicitfast"/>
  <default><geom contype="0" conaffinity="0"/></default>
  <visual><global offwidth="1920" offheight="1080"/></visual>
  <asset>
    <texture type="skybox" builtin="gradient" rgb1="0.36 0.55 0.78" rgb2="0.86 0.90 0.94" width="64" height="384"/>
  </asset>
  <worldbody>
    <light name="sun" pos="0 -2 4" dir="0 0.5 -1" diffuse="0.8 0.8 0.8"/>
    <camera name="track" pos="0 -6 1.5" xyaxes="1 0 0 0 0.24 0.97"/>
    <camera name="eye" pos="0 -10 0.5" xyaxes="1 0 0 0 0 1" fovy="9.15"/>
    <geom name="rail" type="capsule" fromto="-4 0 0 4 0 0" size="0.02" rgba="0.5 0.5 0.5 1"/>
    <body name="cart">
      <joint name="slider" type="slide" axis="1 0 0"/>
      <geom type="box" size="0.2 0.1 0.1" mass="1" rgba="0.2 0.4 0.7 1"/>
      <body name="pole" pos="0 0 0.1">
        <joint name="hinge" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0 0 1" size="0.03" mass="1" rgba="0.9 0.6 0.2 1"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor name="slider" joint="slider"/></actuator>
</mujoco>
"""


@config
class SceneCfg:
    """How many cartpoles there are."""

    num_envs: Count = 256
    """Carts simulated at once."""


@config
class RewardsCfg:
    """Weight of each reward term."""

    alive: FiniteFloat = 1.0
    """Every second that the cart stays on its rail."""
    terminating: FiniteFloat = -2.0
    """Leaving the rail."""
    pole_pos: FiniteFloat = -1.0
    """Squared angle of the pole to upright [rad^2]."""
    cart_vel: FiniteFloat = -0.01
    """Speed of the cart [m/s]."""
    pole_vel: FiniteFloat = -0.005
    """Speed of the pole [rad/s]."""


@config
class CartpoleEnvCfg:
    """A cart on a rail, and a pole hinged on it."""

    seed: NonNegativeInt | None = None
    """Everything random in the environment follows from it; null for the agent's seed."""
    decimation: Count = 2
    """Physics steps per control step: 60 Hz control at the default `sim.dt`."""
    episode_length_s: PositiveFloat = 5.0
    """Time after which an episode is truncated [s]."""
    scene: SceneCfg = SceneCfg()
    sim: SimCfg = SimCfg(dt=1 / 120)
    effort_scale: PositiveFloat = 100.0
    """Force on the cart per unit of action [N]."""
    max_cart_pos: PositiveFloat = 3.0
    """The episode ends beyond this distance from the middle [m]."""
    reset_pos: NonNegativeFloat = 1.0
    """Episodes begin with the cart within plus and minus this [m], and half of it in velocity [m/s]."""
    reset_angle: NonNegativeFloat = 0.785
    """Episodes begin with the pole within plus and minus this of upright [rad], and with as much velocity [rad/s]."""
    rewards: RewardsCfg = RewardsCfg()


@final
@dataclass(frozen=True, kw_only=True)
class CartpoleState:
    """What the terms see; `[n]` each."""

    cart_pos: Tensor
    """[m]"""
    pole_pos: Tensor
    """Angle to upright, in [-pi, pi] [rad]."""
    cart_vel: Tensor
    """[m/s]"""
    pole_vel: Tensor
    """[rad/s]"""


def view(frame: Frame) -> CartpoleState:
    """The four numbers of a cartpole, by name."""
    cart_pos, angle = frame.sim.qpos.unbind(dim=1)
    cart_vel, pole_vel = frame.sim.qvel.unbind(dim=1)
    wrapped = (angle + 3.141592653589793).remainder(2 * 3.141592653589793) - 3.141592653589793
    return CartpoleState(cart_pos=cart_pos, pole_pos=wrapped, cart_vel=cart_vel, pole_vel=pole_vel)


def is_out_of_bounds(state: CartpoleState, *, limit: float) -> Tensor:
    """Whether the cart is more than `limit` [m] from the middle, bool `[n]`."""
    return state.cart_pos.abs() > limit


def initial_state(
    n: int, generator: torch.Generator, *, cfg: CartpoleEnvCfg, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Where episodes begin: qpos and qvel, `[n, 2]` each."""
    import torch

    def draw(cart: float, pole: float) -> Tensor:
        unit = torch.rand(n, 2, generator=generator, device=device).mul_(2).sub_(1)
        return unit * torch.tensor((cart, pole), device=device)

    return draw(cfg.reset_pos, cfg.reset_angle), draw(0.5 * cfg.reset_pos, cfg.reset_angle)


def make_task(cfg: CartpoleEnvCfg, device: torch.device | str) -> Task[CartpoleState]:
    """The config bound to the terms."""
    from fleetfoot.envs.task import ActionMap, ObsTerm, RewardTerm, Task, TerminationTerm

    out_of_bounds = partial(is_out_of_bounds, limit=cfg.max_cart_pos)
    weights = cfg.rewards
    sensed: tuple[ObsTerm[CartpoleState], ...] = (
        ObsTerm(name="pole_pos", fn=lambda s: s.pole_pos[:, None], size=1),
        ObsTerm(name="pole_vel", fn=lambda s: s.pole_vel[:, None], size=1),
        ObsTerm(name="cart_pos", fn=lambda s: s.cart_pos[:, None], size=1),
    )
    cart_vel: ObsTerm[CartpoleState] = ObsTerm(name="cart_vel", fn=lambda s: s.cart_vel[:, None], size=1)
    return Task(
        name=TASK.name,
        step_dt=cfg.sim.dt * cfg.decimation,
        decimation=cfg.decimation,
        episode_length_s=cfg.episode_length_s,
        view=view,
        actions=ActionMap(names=("slider",), offset=(0.0,), scale=(cfg.effort_scale,)),
        observations={"policy": (*sensed, cart_vel), "sensors": sensed},
        rewards=(
            RewardTerm(name="alive", fn=lambda s: 1.0 - out_of_bounds(s).float(), weight=weights.alive),
            RewardTerm(name="terminating", fn=lambda s: out_of_bounds(s).float(), weight=weights.terminating),
            RewardTerm(name="pole_pos", fn=lambda s: s.pole_pos.square(), weight=weights.pole_pos),
            RewardTerm(name="cart_vel", fn=lambda s: s.cart_vel.abs(), weight=weights.cart_vel),
            RewardTerm(name="pole_vel", fn=lambda s: s.pole_vel.abs(), weight=weights.pole_vel),
        ),
        terminations=(TerminationTerm(name="cart_out_of_bounds", fn=out_of_bounds),),
        metrics={"Metrics/upright": lambda s: s.pole_pos.cos()},
        initial_state=partial(initial_state, cfg=cfg, device=device),
        contract={"robot": "cartpole", "joint_names": ["slider", "hinge"]},
        scene=SCENE.format(dt=cfg.sim.dt),
    )


def make_env(cfg: CartpoleEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
    """The environment, over MuJoCo."""
    import mujoco

    from fleetfoot.envs.task_env import TaskEnv
    from fleetfoot.sim.batch import MujocoBatch

    task = make_task(cfg, device)
    model = mujoco.MjModel.from_xml_string(task.scene)
    sim = MujocoBatch(model, cfg.scene.num_envs, num_threads=cfg.sim.num_threads, device=device)
    return TaskEnv(task, sim, seed=seed if cfg.seed is None else cfg.seed)


_NETWORK = MlpCfg(hidden_dims=(32, 32), activation="elu")


def ppo() -> OnPolicyRunnerCfg:
    """PPO that balances the pole within seconds."""
    return OnPolicyRunnerCfg(
        experiment_name="cartpole",
        num_steps_per_env=16,
        max_iterations=60,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",)),
        algorithm=PpoCfg(entropy_coef=0.005, schedule=AdaptiveKlCfg(desired_kl=0.01)),
        actor=ActorCfg(network=_NETWORK, distribution=GaussianCfg(init_std=1.0)),
        critic=CriticCfg(network=_NETWORK),
    )


def distillation() -> DistillationRunnerCfg:
    """A student without the cart's velocity learns from a policy that `ppo` trained."""
    return DistillationRunnerCfg(
        experiment_name="cartpole_student",
        teacher_experiment="cartpole",
        num_steps_per_env=16,
        max_iterations=100,
        obs_groups=DistillationGroupsCfg(student=("sensors",), teacher=("policy",)),
        algorithm=DistillationCfg(gradient_length=4, mixing=MixingCfg(schedule=LinearCfg(iterations=50))),
        student=ActorCfg(network=_NETWORK, distribution=GaussianCfg(init_std=0.2)),
    )


def finetune() -> OnPolicyRunnerCfg:
    """PPO that goes on with the student's policy: `--checkpoint` names it."""
    cfg, student = ppo(), distillation()
    return replace(
        cfg,
        experiment_name="cartpole_finetuned",
        critic_experiment=cfg.experiment_name,
        obs_groups=replace(cfg.obs_groups, actor=student.obs_groups.student),
        algorithm=replace(cfg.algorithm, critic_warmup=10),
        actor=student.student,
    )


TASK = TaskSpec(
    name="Cartpole",
    summary="Balance a pole on a cart: the tutorial.",
    env_cfg=CartpoleEnvCfg,
    make_env=make_env,
    agents={"ppo": ppo, "distillation": distillation, "finetune": finetune},
    play_mode=lambda cfg: cfg,
)
