"""A task's agents, as ours: those that were written for fleetfoot, else those of rsl_rl, translated.

    fleetfoot_cfg_entry_point                   agent ppo
    rsl_rl_cfg_entry_point                      the same, where there is none of the first
    rsl_rl_with_symmetry_cfg_entry_point        agent ppo_symmetry, also called as the entry point is
    …

No torch here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg, RunnerCfg
from fleetfoot_isaaclab.env_cfg import IsaacLabEnvCfg, resolve

__all__ = ["clip_actions_of", "find_agents", "mirror_function_of", "observation_spec_of"]

_LIBRARIES: Final = ("fleetfoot", "rsl_rl")
"""Whose agents are taken, the first first."""
_SUFFIX: Final = "cfg_entry_point"
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"": "ppo", "with_symmetry": "ppo_symmetry", "recurrent": "ppo_recurrent"}
)
"""What stands in the name of an entry point, to the name of an agent; others are called alike."""


def find_agents(cfg: IsaacLabEnvCfg, kwargs: Mapping[str, Any]) -> dict[str, Callable[[], RunnerCfg]]:
    """Name of an agent to what makes its config; each is there by our name and by that of its entry point.

    Args:
        cfg: What was asked for.
        kwargs: What the task is registered with.
    """
    names: dict[str, str] = {}
    entry_points: dict[str, str] = {}
    for library in _LIBRARIES:
        for key in kwargs:
            if key.startswith(f"{library}_") and key.endswith(_SUFFIX):
                variant = key.removeprefix(f"{library}_").removesuffix(_SUFFIX).rstrip("_")
                names.setdefault(_NAMES.get(variant, variant), key)
                entry_points[key] = key
    return {name: _maker(cfg, key) for name, key in {**names, **entry_points}.items()}


def clip_actions_of(cfg: IsaacLabEnvCfg, kwargs: Mapping[str, Any]) -> float | None:
    """What the task's agent of rsl_rl clips its actions to."""
    key = f"rsl_rl_{_SUFFIX}"
    return resolve(cfg, agent=key).clip_actions if key in kwargs else None


def mirror_function_of(cfg: IsaacLabEnvCfg, kwargs: Mapping[str, Any]) -> Callable[..., Any] | str | None:
    """What computes the robot's mirror images: that of the task's agents which has one."""
    for key in kwargs:
        if key.startswith("rsl_rl_") and key.endswith(_SUFFIX):
            symmetry = resolve(cfg, agent=key).to_dict()["algorithm"].get("symmetry_cfg")
            if symmetry:
                return symmetry["data_augmentation_func"]
    return None


def observation_spec_of(env_cfg: Any) -> dict[str, tuple[int, ...]]:
    """Observation groups and their shapes as far as a resolved config says: `()` where terms make up the shape."""
    from isaaclab.envs import DirectMARLEnvCfg, DirectRLEnvCfg
    from isaaclab.envs.utils.spaces import spec_to_gym_space

    if isinstance(env_cfg, DirectRLEnvCfg):
        spaces = {"policy": env_cfg.observation_space, "critic": env_cfg.state_space}
        return {group: tuple(spec_to_gym_space(space).shape or ()) for group, space in spaces.items() if space}
    if isinstance(env_cfg, DirectMARLEnvCfg):
        return {"policy": ()}
    return {group: () for group, terms in vars(env_cfg.observations).items() if terms is not None}


def _maker(cfg: IsaacLabEnvCfg, key: str) -> Callable[[], RunnerCfg]:
    return lambda: _make(cfg, key)


def _make(cfg: IsaacLabEnvCfg, key: str) -> RunnerCfg:
    agent = resolve(cfg, agent=key)
    if isinstance(agent, (OnPolicyRunnerCfg, DistillationRunnerCfg)):
        return agent
    env_cfg = resolve(cfg)
    try:
        return translate_train_cfg(
            agent,
            observation_spec=observation_spec_of(env_cfg),
            step_dt=env_cfg.sim.dt * env_cfg.decimation,
            same_numbers=False,  # the environment says what a truncated episode ended in
            report=logging.getLogger(__name__).info,
        )
    except ConfigError as error:
        where = f"{cfg.task}, {key}: {error.where}"
        raise ConfigError(where, got=error.got, expected=error.expected, fix=error.fix) from error
