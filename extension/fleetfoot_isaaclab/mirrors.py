"""Mirror images of Isaac Lab's robots: what the functions say that its agents learn symmetry by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from tensordict import TensorDict
from torch import Tensor

from fleetfoot.compat.mirrors import find_mirror_images
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot_isaaclab.agents import mirror_function_of
from fleetfoot_isaaclab.env_cfg import IsaacLabEnvCfg

__all__ = ["find_mirrors"]


def find_mirrors(
    cfg: IsaacLabEnvCfg, kwargs: Mapping[str, Any], env: Any, sizes: Mapping[str, int]
) -> tuple[MirrorImage, ...]:
    """All mirror images of the robot but itself; empty if the task's agents know of none.

    Args:
        cfg: What was asked for.
        kwargs: What the task is registered with.
        env: Isaac Lab's environment.
        sizes: Flat observation groups and their sizes.

    Raises:
        ConfigError: What the task calls a mirror image does more than to change places and signs.
    """
    function = mirror_function_of(cfg, kwargs)
    return () if function is None else find_mirror_images(_Wrapped(env), function, sizes)


@final
class _Wrapped:
    """As much of rsl_rl's wrapper as those functions look at."""

    def __init__(self, env: Any) -> None:
        self.unwrapped, self.cfg = env, env.cfg
        self.num_envs, self.device = env.num_envs, env.device
        self.num_actions = env.single_action_space.shape[0]
        self.max_episode_length, self.episode_length_buf = env.max_episode_length, env.episode_length_buf

    def get_observations(self) -> TensorDict:
        return TensorDict(self.unwrapped.obs_buf, batch_size=[self.num_envs])

    def step(self, actions: Tensor, /) -> tuple[TensorDict, Tensor, Tensor, dict[str, Any]]:
        obs, reward, terminated, truncated, extras = self.unwrapped.step(actions)
        return TensorDict(obs, batch_size=[self.num_envs]), reward, (terminated | truncated).to(torch.long), extras
