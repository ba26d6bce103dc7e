"""The velocity tasks as the registry knows them; only making an environment imports torch and MuJoCo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from fleetfoot.tasks.registry import TaskSpec
from fleetfoot.tasks.velocity import agents
from fleetfoot.tasks.velocity.config import VelocityEnvCfg, play_mode, rough, rough_blind

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.config import OnPolicyRunnerCfg, RunnerCfg

__all__ = ["TASKS"]


def _spec(
    name: str,
    summary: str,
    env_cfg: Callable[[], VelocityEnvCfg],
    ppo: Callable[[], OnPolicyRunnerCfg],
    more_agents: Mapping[str, Callable[[], RunnerCfg]] = MappingProxyType({}),
) -> TaskSpec[VelocityEnvCfg]:
    def make_env(cfg: VelocityEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
        from fleetfoot.tasks.velocity import env

        return env.make_env(cfg, name=name, device=device, seed=seed)

    return TaskSpec(
        name=name,
        summary=summary,
        env_cfg=env_cfg,
        make_env=make_env,
        agents={
            "ppo": ppo,
            "ppo_symmetry": lambda: agents.with_symmetry(ppo()),
            "ppo_recurrent": lambda: agents.with_memory(ppo()),
            "rnd": lambda: agents.with_curiosity(ppo()),
            **more_agents,
        },
        default_agent="ppo_symmetry",
        play_mode=play_mode,
    )


TASKS = (
    _spec(
        "Anymal-Flat",
        "ANYmal C walks on flat ground at the velocity it is asked for.",
        VelocityEnvCfg,
        agents.ppo,
    ),
    _spec(
        "Anymal-Rough",
        "ANYmal C walks over stairs, slopes and boxes that it sees; they get harder as it gets better.",
        rough,
        agents.rough_ppo,
    ),
    _spec(
        "Anymal-Rough-Blind",
        "The same for a policy that does not see the ground: a student of Anymal-Rough, or a learner of its own.",
        rough_blind,
        agents.blind_ppo,
        {"distillation": agents.distillation, "distillation_finetune": agents.distillation_finetune},
    ),
)
