"""The config of a task whose environment is one of Gymnasium's. No gymnasium here: this is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from fleetfoot.core.config import Count, NonNegativeInt, PositiveFloat, config

__all__ = ["GymnasiumEnvCfg", "SceneCfg"]


@config
class SceneCfg:
    """How many there are."""

    num_envs: Count = 8
    """Environments side by side."""


@config
class GymnasiumEnvCfg:
    """An environment of Gymnasium; the task's name says which."""

    seed: NonNegativeInt | None = None
    """Everything random in the environment follows from it; null for the agent's seed."""
    scene: SceneCfg = SceneCfg()
    vectorization: Literal["sync", "async", "vector_entry_point"] = "sync"
    """How there become many of one: stepped one after the other, in a process each (for such as take longer than some
    0.2 ms a step), or as the environment's own code for it does."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """What its constructor is given, as `env.kwargs.forward_reward_weight=2`."""
    actions: Literal["clip", "rescale"] = "clip"
    """How actions are kept within the bounds of the environment: cut off there, as in the results that are published of
    PPO; or -1 to 1 of the policy is the whole range, and what is beyond is cut off."""
    max_episode_steps: Count | None = None
    """Steps after which an episode is truncated; null for what the environment is registered with."""
    step_dt: PositiveFloat | None = None
    """Duration of a step [s], for films and exports; null for that of a frame, or 1/30 s if it does not say."""
