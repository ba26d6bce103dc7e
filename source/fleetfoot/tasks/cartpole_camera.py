"""Cartpole seen through a camera: the same task for a policy that gets small pictures instead of four numbers.

The pictures show 1.6 m from bottom to top, and at their default size the rail to 2.1 m on either side. The critic is
told the numbers: it is not needed where the policy is used.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fleetfoot.algorithms.config import LinearCfg, PpoCfg
from fleetfoot.core.config import Count, NonNegativeFloat, PositiveFloat, config
from fleetfoot.models.config import ActorCfg, CnnCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.sim.config import CameraCfg
from fleetfoot.tasks import cartpole
from fleetfoot.tasks.cartpole import CartpoleEnvCfg, CartpoleState, SceneCfg
from fleetfoot.tasks.registry import TaskSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.envs.task import Task
    from fleetfoot.sim.simulator import Camera

__all__ = ["TASK"]


@config
class CartpoleCameraEnvCfg(CartpoleEnvCfg):
    """A cart on a rail, a pole hinged on it, and a camera beside them."""

    decimation: Count = 4
    """Physics steps per control step: 30 Hz control at the default `sim.dt`, and as many pictures."""
    scene: SceneCfg = SceneCfg(num_envs=32)
    effort_scale: PositiveFloat = 30.0
    """Force on the cart per unit of action [N]."""
    max_cart_pos: PositiveFloat = 2.0
    """The episode ends beyond this distance from the middle [m]."""
    max_pole_angle: PositiveFloat = 1.0
    """The episode ends beyond this angle of the pole to upright [rad]: until then every second is worth having."""
    reset_pos: NonNegativeFloat = 0.5
    """Episodes begin with the cart within plus and minus this [m], and half of it in velocity [m/s]."""
    reset_angle: NonNegativeFloat = 0.25
    """Episodes begin with the pole within plus and minus this of upright [rad], and with as much velocity [rad/s]."""
    camera: CameraCfg = CameraCfg(width=64, height=24)


def pose(state: CartpoleState) -> Tensor:
    """Where the cart and the pole are, `qpos` `[n, 2]`."""
    import torch

    return torch.stack((state.cart_pos, state.pole_pos), dim=1)


def has_fallen(state: CartpoleState, *, limit: float) -> Tensor:
    """Whether the pole is more than `limit` [rad] from upright, bool `[n]`."""
    return state.pole_pos.abs() > limit


def make_task(cfg: CartpoleCameraEnvCfg, camera: Camera, device: torch.device | str) -> Task[CartpoleState]:
    """Cartpole with other observations: pictures, and the numbers for the critic."""
    from fleetfoot.envs.task import ImageTerm, TerminationTerm

    task = cartpole.make_task(cfg, device)
    fallen = TerminationTerm(name="pole_fell", fn=partial(has_fallen, limit=cfg.max_pole_angle))
    return replace(
        task,
        name=TASK.name,
        observations={"critic": task.observations["policy"]},
        images={"camera": ImageTerm(camera=camera, pose=pose, frames=cfg.camera.frames)},
        terminations=(*task.terminations, fallen),
    )


def make_env(cfg: CartpoleCameraEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
    """The environment, over MuJoCo."""
    import mujoco

    from fleetfoot.envs.task_env import TaskEnv
    from fleetfoot.sim.batch import MujocoBatch
    from fleetfoot.sim.camera import MujocoCamera

    xml = cartpole.SCENE.format(dt=cfg.sim.dt)
    camera = MujocoCamera(xml, "eye", cfg.camera, device=device)
    model = mujoco.MjModel.from_xml_string(xml)
    sim = MujocoBatch(model, cfg.scene.num_envs, num_threads=cfg.sim.num_threads, device=device)
    return TaskEnv(make_task(cfg, camera, device), sim, seed=seed if cfg.seed is None else cfg.seed)


def ppo() -> OnPolicyRunnerCfg:
    """PPO that sees the pole through two layers of convolutions, and balances it within minutes."""
    return OnPolicyRunnerCfg(
        experiment_name="cartpole_camera",
        num_steps_per_env=32,
        max_iterations=100,
        obs_groups=ObsGroupsCfg(actor=("camera",), critic=("critic",)),
        algorithm=PpoCfg(entropy_coef=0.005, schedule=LinearCfg(final=1e-4, iterations=100)),
        actor=ActorCfg(
            # Large steps over the picture: a pole shows from afar, and every pixel costs. ReLU sees it sooner than ELU.
            cnn=CnnCfg(output_channels=(16, 32), kernel_size=(5, 3), stride=(2, 2), activation="relu"),
            network=MlpCfg(hidden_dims=(128,)),
            distribution=GaussianCfg(init_std=1.0),
        ),
        critic=CriticCfg(network=MlpCfg(hidden_dims=(64, 64))),
    )


TASK = TaskSpec(
    name="Cartpole-Camera",
    summary="The same, seen through a camera.",
    env_cfg=CartpoleCameraEnvCfg,
    make_env=make_env,
    agents={"ppo": ppo},
    play_mode=lambda cfg: cfg,
)
