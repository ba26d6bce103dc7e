"""From the id of an environment of Gymnasium to the environment."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import gymnasium
import torch
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode

from fleetfoot.envs.gym.adapter import GymnasiumEnv
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.gym.config import GymnasiumEnvCfg

__all__ = ["find_spec", "make_env"]


def find_spec(task_id: str) -> EnvSpec:
    """What an environment is registered with.

    Args:
        task_id: As `gymnasium.make_vec` takes it: `Env-v0`, or `module:Env-v0` to import what registers it.

    Raises:
        ConfigError: There is none of that id; says what Gymnasium says.
    """
    module, _, name = task_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(name)
    except (ModuleNotFoundError, gymnasium.error.Error) as error:
        expected = "the id of an environment of Gymnasium"
        raise ConfigError("--task", got=repr(task_id), expected=expected, fix=str(error)) from None


def make_env(cfg: GymnasiumEnvCfg, *, device: torch.device | str, seed: int, task_id: str) -> GymnasiumEnv:
    """The environment.

    It is made such that ended episodes are followed by us (`AutoresetMode.DISABLED`), which says what the last
    observation was and lets the time limit be ours; and such that it does not copy what is copied anyway.

    Raises:
        ConfigError: Gymnasium does not make it so; says what it says.
    """
    spec = find_spec(task_id)
    kwargs: dict[str, Any] = {**_drawn(spec), **cfg.kwargs}
    # Those that make many of one in their own way are told only if they are registered with a limit.
    if cfg.max_episode_steps and (cfg.vectorization != "vector_entry_point" or spec.max_episode_steps):
        kwargs["max_episode_steps"] = cfg.max_episode_steps
    try:
        env = gymnasium.make_vec(
            spec,
            num_envs=cfg.scene.num_envs,
            vectorization_mode=cfg.vectorization,
            vector_kwargs=_vector_kwargs(cfg),
            **kwargs,
        )
    except (gymnasium.error.Error, TypeError) as error:
        got = f"{cfg.vectorization}, and kwargs {dict(cfg.kwargs)}"
        raise ConfigError("env", got=got, expected=f"what {task_id} can be made with", fix=str(error)) from error
    return GymnasiumEnv(
        env,
        seed=seed if cfg.seed is None else cfg.seed,
        device=device,
        bounds=cfg.actions,
        step_dt=cfg.step_dt,
        max_episode_length=cfg.max_episode_steps,
    )


def _vector_kwargs(cfg: GymnasiumEnvCfg) -> dict[str, Any]:
    match cfg.vectorization:
        case "sync":
            return {"autoreset_mode": AutoresetMode.DISABLED, "copy": False}
        case "async":  # not forked: this process has threads
            return {"autoreset_mode": AutoresetMode.DISABLED, "copy": False, "context": "spawn"}
        case "vector_entry_point":
            return {}


def _drawn(spec: EnvSpec) -> Mapping[str, str]:
    """What lets an environment be filmed, if its class says that it can draw itself."""
    if spec.entry_point is None:
        return {}
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    if not (isinstance(creator, type) and issubclass(creator, gymnasium.Env)):
        return {}
    return {"render_mode": "rgb_array"} if "rgb_array" in creator.metadata.get("render_modes", ()) else {}
