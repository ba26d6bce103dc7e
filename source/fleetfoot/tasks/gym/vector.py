"""From the name of a task to a vector environment of Gymnasium: what `gymnasium.make_vec` calls."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.tasks.registry import TaskSpec, find_agent, find_task

if TYPE_CHECKING:
    import torch

    from fleetfoot.envs.gym.vector import FleetfootVectorEnv

__all__ = ["make_vector_env"]


def make_vector_env(
    *,
    task: str,
    num_envs: int = 1,
    observations: str | Sequence[str] | None = None,
    max_action: float | None = 100.0,
    env: Mapping[str, str] | None = None,
    device: torch.device | str = "cpu",
    seed: int | None = None,
) -> FleetfootVectorEnv:
    """Make the environment of a task.

    Args:
        task: Its name.
        num_envs: Environments side by side.
        observations: The observation group to hand out, as a `Box`; or several, as a `Dict`. By default what the
            policy of the task's default agent reads.
        max_action: Actions are cut off at plus and minus this; None for the bounds that the task has, if any. Learners
            that scale what they put out to the bounds need less, as 3.
        env: Fields of the environment's config to replace, as `{"rewards.alive": "2.0"}` for what is
            `env.rewards.alive=2.0` on the command line.
        device: Where it is simulated.
        seed: Everything random follows from it until a reset has another; None for one that nobody knows.

    Raises:
        ConfigError: There is no such task, group or field.
    """
    from fleetfoot.envs.gym.vector import FleetfootVectorEnv

    spec = find_task(task)
    cfg = spec.cfgs.override(spec.env_cfg(), {**(env or {}), "scene.num_envs": str(num_envs)})
    if observations is None:
        observations = _read_by_the_policy(spec)
    made = spec.make_env(cfg, device=device, seed=secrets.randbelow(2**31) if seed is None else seed)
    return FleetfootVectorEnv(made, observations=observations, max_action=max_action)


def _read_by_the_policy(spec: TaskSpec[Any]) -> str | tuple[str, ...]:
    agent = find_agent(spec, spec.default_agent)()
    groups = agent.obs_groups.actor if isinstance(agent, OnPolicyRunnerCfg) else agent.obs_groups.student
    return groups[0] if len(groups) == 1 else tuple(groups)
