"""An environment of ours as a vector environment of Gymnasium: numpy in, numpy out.

Axes: `N` environments, `A` actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from fleetfoot.core.vec_env import ActionSpec, Observations
from fleetfoot.core.vec_env import VecEnv as FleetfootEnv
from fleetfoot.errors import ConfigError

__all__ = ["FleetfootVectorEnv"]

Arrays: TypeAlias = "NDArray[np.float32] | dict[str, NDArray[np.float32]]"
"""Observations of one group, or of several by their names."""


@final
class FleetfootVectorEnv(VectorEnv[Arrays, NDArray[np.float32], NDArray[Any]]):
    """Lets somebody else's learner train in an environment of ours.

    Episodes are followed by the next in the step that ends them (`AutoresetMode.SAME_STEP`): `infos["final_obs"]` has
    the last observation of each, where `infos["_final_obs"]` is true. On the CPU arrays share the memory of our
    tensors, which no later step writes into.

    Args:
        env: The environment, which is closed with this one.
        observations: The observation group to hand out, as a `Box`; or several, as a `Dict`.
        max_action: Actions are cut off at plus and minus this, unless the environment has narrower bounds. Gymnasium
            expects some; None for those of the environment alone, which may be none.

    Raises:
        ConfigError: The environment has no such group.
    """

    def __init__(
        self, env: FleetfootEnv, *, observations: str | Sequence[str] = "policy", max_action: float | None = 100.0
    ) -> None:
        self._env, self._groups = env, observations
        self._max_action = max_action
        self.num_envs = env.num_envs
        self.metadata = {
            "autoreset_mode": AutoresetMode.SAME_STEP,
            "render_modes": [],
            "render_fps": round(1.0 / env.step_dt),
        }
        names = (observations,) if isinstance(observations, str) else tuple(observations)
        if missing := next((name for name in names if name not in env.observation_spec), None):
            expected = f"a group of this environment: {', '.join(env.observation_spec)}"
            raise ConfigError("observations", got=repr(missing), expected=expected)
        boxes: dict[str, spaces.Space[Any]] = {name: _box(env.observation_spec[name]) for name in names}
        self.single_observation_space = boxes[names[0]] if isinstance(observations, str) else spaces.Dict(boxes)
        self.single_action_space = _action_space(env.action_spec, max_action)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def env(self) -> FleetfootEnv:
        """Our environment."""
        return self._env

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """Begin new episodes everywhere; with a seed, everything random restarts from it.

        Raises:
            ConfigError: There are options: ours has none, and resets all environments at once.
        """
        if options:
            raise ConfigError("reset(options)", got=sorted(options), expected="none: all environments are reset")
        super().reset(seed=seed)
        return self._arrays(self._env.reset(seed)), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Arrays, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Advance by one control step; see `gymnasium.vector.VectorEnv.step`."""
        given = torch.from_numpy(np.array(actions, dtype=np.float32)).to(self._env.device)
        if self._max_action is not None:
            given.clamp_(-self._max_action, self._max_action)
        result = self._env.step(given)
        terminated, truncated = result.terminated.numpy(force=True), result.truncated.numpy(force=True)
        infos: dict[str, Any] = {}
        ended = np.logical_or(terminated, truncated)
        if result.final_obs is not None and ended.any():
            infos = {"final_obs": self._final(result.final_obs, ended), "_final_obs": ended}
            infos |= {"final_info": {}, "_final_info": ended.copy()}
        return self._arrays(result.obs), result.reward.numpy(force=True), terminated, truncated, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Close our environment."""
        self._env.close()

    def _arrays(self, obs: Observations) -> Arrays:
        if isinstance(self._groups, str):
            return obs[self._groups].numpy(force=True)
        return {name: obs[name].numpy(force=True) for name in self._groups}

    def _final(self, obs: Observations, ended: NDArray[np.bool_]) -> NDArray[np.object_]:
        """The observation of each environment whose episode has ended, None for the others."""
        arrays = self._arrays(obs)
        rows = np.full(self.num_envs, None, dtype=object)
        for index in ended.nonzero()[0].tolist():
            one = {name: a[index] for name, a in arrays.items()} if isinstance(arrays, dict) else arrays[index]
            rows[index] = one
        return rows


def _box(shape: tuple[int, ...]) -> spaces.Box:
    """Numbers of any size; of pictures, from 0 to 1."""
    low, high = (0.0, 1.0) if len(shape) == 3 else (-np.inf, np.inf)
    return spaces.Box(low, high, shape, np.float32)


def _action_space(spec: ActionSpec, max_action: float | None) -> spaces.Box:
    bound = np.inf if max_action is None else max_action
    low = np.full(spec.size, -np.inf) if spec.low is None else np.array(spec.low)
    high = np.full(spec.size, np.inf) if spec.high is None else np.array(spec.high)
    return spaces.Box(low.clip(-bound, bound).astype(np.float32), high.clip(-bound, bound).astype(np.float32))
