"""The velocity task as the registry knows it; only making an environment imports torch and MuJoCo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetfoot.tasks.registry import TaskSpec
from fleetfoot.tasks.velocity import agents
from fleetfoot.tasks.velocity.config import TASK_NAME, VelocityEnvCfg, play_mode

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv

__all__ = ["TASK"]


def _make_env(cfg: VelocityEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
    from fleetfoot.tasks.velocity.env import make_env

    return make_env(cfg, device=device, seed=seed)


TASK = TaskSpec(
    name=TASK_NAME,
    summary="ANYmal C walks on flat ground at the velocity it is asked for.",
    env_cfg=VelocityEnvCfg,
    make_env=_make_env,
    agents={"ppo": agents.ppo, "ppo_symmetry": agents.ppo_symmetry},
    default_agent="ppo_symmetry",
    play_mode=play_mode,
)
