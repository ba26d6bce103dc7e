"""Environments of Gymnasium whose every number is known, single and as a vector environment of its own kind."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

LIMIT = 5
OBS = spaces.Box(-np.inf, np.inf, (2,), np.float64)
ACT = spaces.Box(-2.0, 2.0, (1,), np.float32)


class Count(gymnasium.Env):
    """Observes (episode, step). The reward is the action as it arrives; the episode terminates after `ends_after`."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}
    observation_space, action_space = OBS, ACT

    def __init__(self, ends_after: int = 10**6, render_mode: str | None = None, obs_dtype: type = np.float64) -> None:
        self.ends_after, self.render_mode, self.dtype = ends_after, render_mode, obs_dtype
        self.episode = -1
        if obs_dtype != np.float64:
            self.observation_space = spaces.Box(-np.inf, np.inf, (2,), obs_dtype)

    def observe(self) -> np.ndarray:
        return np.array([self.episode, self.step_count], dtype=self.dtype)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self.episode = -1
        self.episode += 1
        self.step_count = 0
        return self.observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.step_count += 1
        info = {"speed": 2.0 * self.step_count, "name": "count", "place": np.zeros(3)}
        return self.observe(), float(action[0]), self.step_count >= self.ends_after, False, info

    def render(self) -> np.ndarray:
        return np.full((8, 8, 3), self.step_count, dtype=np.uint8)


def limited(ends_after: int = 10**6, **kwargs: Any) -> gymnasium.Env:
    """One that is truncated by Gymnasium after `LIMIT` steps, too."""
    return gymnasium.wrappers.TimeLimit(Count(ends_after, **kwargs), LIMIT)


class Batch(VectorEnv):
    """The same for all environments at once, in arrays that are written over by the next step."""

    def __init__(self, mode: AutoresetMode, ends_after: tuple[int, ...], *, batched_final: bool = False) -> None:
        self.metadata = {"autoreset_mode": mode, "render_fps": 20}
        self.single_observation_space, self.single_action_space = OBS, ACT
        self.num_envs = len(ends_after)
        self.observation_space = batch_space(OBS, self.num_envs)
        self.action_space = batch_space(ACT, self.num_envs)
        self.ends_after, self.batched_final = np.array(ends_after), batched_final
        self.obs = np.zeros((self.num_envs, 2), dtype=np.float32)
        self.rewards = np.zeros(self.num_envs, dtype=np.float32)
        self.terminated, self.truncated = np.zeros(self.num_envs, bool), np.zeros(self.num_envs, bool)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        mask = np.ones(self.num_envs, bool)
        if options and self.metadata["autoreset_mode"] == AutoresetMode.DISABLED:
            mask = options["reset_mask"]
        if seed is not None:
            self.obs[:, 0] = -1
        self.obs[mask] = np.stack([self.obs[mask, 0] + 1, np.zeros(mask.sum())], axis=1)
        return self.obs, {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        self.obs[:, 1] += 1
        self.rewards[:] = actions[:, 0]
        self.terminated[:] = self.obs[:, 1] >= self.ends_after
        self.truncated[:] = self.obs[:, 1] >= LIMIT
        infos: dict[str, Any] = {}
        done = self.terminated | self.truncated
        if self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP and done.any():
            rows = np.full(self.num_envs, None, dtype=object)
            for i in done.nonzero()[0]:
                rows[i] = self.obs[i].copy()
            infos = {"final_obs": self.obs.copy() if self.batched_final else rows, "_final_obs": done}
            self.obs[done] = np.stack([self.obs[done, 0] + 1, np.zeros(done.sum())], axis=1)
        return self.obs, self.rewards, self.terminated, self.truncated, infos
