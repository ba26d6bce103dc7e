"""A vector environment of Gymnasium as one of ours.

How an episode that has ended is followed by the next (`metadata["autoreset_mode"]`):

    Disabled    its rows are reset here, by `reset(options={"reset_mask": …})`
    SameStep    it has been reset; the last observation is `infos["final_obs"]`
    NextStep    it would be reset by a step whose action nobody hears. Here its rows are reset at once, as above, so
                that there is no such step and nothing is learned from it. That takes a mask that is heeded, as it is by
                Gymnasium's own `SyncVectorEnv` and `AsyncVectorEnv`; another environment of this kind is refused

The time limit is kept here as well: `episode_length` can be written into, and what it says decides.

Axes: `N` environments, `A` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.envs.gym.spaces import Bounds, read_actions, read_groups
from fleetfoot.errors import ContractError, OutputError
from fleetfoot.sim.opengl import told_of_backend

__all__ = ["GymnasiumEnv"]

_FPS: Final = 30.0  # what Gymnasium's own recorder takes where an environment does not say
_NO_METRICS: Final = frozenset({"final_obs", "final_info", "episode"})


@final
class GymnasiumEnv:
    """Lets a learner of ours train in an environment of Gymnasium.

    Args:
        env: The environment, which is closed with this one.
        seed: Everything random in it follows from it.
        device: Where the learner wants its tensors; the environment itself is on the CPU.
        bounds: How actions are kept within the bounds of the space.
        step_dt: Duration of a step [s]; None for that of a frame (`metadata["render_fps"]`), else 1/30 s.
        max_episode_length: Steps after which an episode is truncated; None for those of the environment's spec.

    Raises:
        ContractError: PPO cannot act in it, networks cannot read it, or its episodes cannot be told apart.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        *,
        seed: int,
        device: torch.device | str = "cpu",
        bounds: Bounds = "clip",
        step_dt: float | None = None,
        max_episode_length: int | None = None,
    ) -> None:
        self._env, self._seed = env, seed
        self._groups = read_groups(env.single_observation_space)
        self._actions = read_actions(env.single_action_space, bounds)
        self._mode, self._heeds_mask = _autoreset_mode(env)
        self.num_envs, self.device = env.num_envs, exact_device(device)
        self.observation_spec, self.action_spec = self._groups.spec, self._actions.spec
        self.step_dt = float(step_dt or 1.0 / env.metadata.get("render_fps", _FPS))
        self.max_episode_length = max_episode_length or _time_limit(env)
        self.episode_length = torch.zeros(self.num_envs, dtype=torch.int64, device=self.device)
        if env.render_mode == "rgb_array":
            self.render = self._render  # offered only if it can

    @property
    def env(self) -> VectorEnv[Any, Any, Any]:
        """Gymnasium's environment."""
        return self._env

    def reset(self, seed: int | None = None) -> Observations:
        """See `VecEnv.reset`; the first one is with the seed of the environment, if none is given."""
        first, self._seed = self._seed, None
        obs, _ = self._env.reset(seed=first if seed is None else seed)
        self.episode_length.zero_()
        return self._move(self._groups.read(obs))

    def step(self, actions: Tensor) -> StepResult:
        """See `VecEnv.step`."""
        check_actions(self, actions)
        if self._seed is not None:
            self.reset()
        obs, rewards, terminations, truncated, infos = self._env.step(self._actions.apply(actions))
        reward, terminated = np.array(rewards, dtype=np.float32), np.array(terminations, dtype=np.bool_)
        self.episode_length += 1
        over_time = (self.episode_length >= self.max_episode_length).numpy(force=True)
        ended = np.logical_or(terminated, truncated)
        cut = np.logical_or(truncated, over_time) & ~terminated
        seen, final = self._follow(self._groups.read(obs), ended, over_time & ~ended, infos)
        if final is not None:
            self.episode_length.masked_fill_(self._tensor(np.logical_or(ended, cut)), 0)
        return StepResult(
            obs=self._move(seen),
            reward=self._tensor(reward),
            terminated=self._tensor(terminated),
            truncated=self._tensor(cut),
            final_obs=None if final is None else self._move(final),
            metrics=self._metrics(infos),
        )

    def close(self) -> None:
        """See `VecEnv.close`."""
        self._env.close()

    def _follow(
        self, obs: Observations, ended: NDArray[np.bool_], late: NDArray[np.bool_], infos: Mapping[str, Any]
    ) -> tuple[Observations, Observations | None]:
        """Begin new episodes; returns the observations to act on, and the last ones of those that are over.

        Args:
            obs: What the step gave.
            ended: Where the environment says that an episode is over, `[N]`.
            late: Where only our time limit does, `[N]`.
            infos: What else the step gave.
        """
        if not (ended.any() or late.any()):
            return obs, None
        if self._mode != AutoresetMode.SAME_STEP:
            return self._begin(ended | late), obs
        final = self._final(obs, ended, infos) if ended.any() else obs
        if late.any() and self._heeds_mask:
            return self._begin(late), final
        return obs, final  # nothing can be reset by itself: the episode ends for the learner, and goes on as another

    def _begin(self, where: NDArray[np.bool_]) -> Observations:
        """Reset some environments; returns the observations of all."""
        obs, _ = self._env.reset(options={"reset_mask": where})
        return self._groups.read(obs)

    def _final(self, obs: Observations, ended: NDArray[np.bool_], infos: Mapping[str, Any]) -> Observations:
        """The observations before the resets that the step has made."""
        if "final_obs" not in infos:
            expected = "infos['final_obs'], as an environment that resets in the same step has it"
            raise ContractError("step()", got="the end of an episode without its last observation", expected=expected)
        final = infos["final_obs"]
        where = torch.from_numpy(ended.nonzero()[0])
        if isinstance(final, np.ndarray) and final.dtype == object:
            rows = self._groups.read_rows([final[index] for index in where.tolist()])
        else:  # all of them, in the form of the observations
            rows = {name: values[where] for name, values in self._groups.read(final).items()}
        return {name: values.index_copy(0, where, rows[name]) for name, values in obs.items()}

    def _metrics(self, infos: Mapping[str, Any]) -> dict[str, Tensor]:
        """Means of the numbers in `infos`, over the environments that say them."""
        found: dict[str, Tensor] = {}
        for key, values in infos.items():
            is_numbers = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "fiub"
            if key.startswith("_") or key in _NO_METRICS or not is_numbers:
                continue
            said = values[infos[f"_{key}"]] if f"_{key}" in infos else values
            if len(said):
                tag = key if "/" in key else f"Metrics/{key}"
                found[tag] = torch.tensor(said.mean(dtype=np.float64), dtype=torch.float32, device=self.device)
        return found

    def _render(self) -> NDArray[np.uint8]:
        """See `fleetfoot.envs.video.RenderedEnv`; of the environments that are drawn one by one only the first is."""
        inner = self._env.unwrapped
        try:
            with told_of_backend():
                frames: Any = (inner.envs[0].render(),) if isinstance(inner, SyncVectorEnv) else self._env.render()
        except gymnasium.error.Error as error:
            raise OutputError("render()", got=type(error).__name__, expected="a picture", fix=str(error)) from error
        return frames[0]

    def _move(self, groups: Observations) -> Observations:
        return {name: values.to(self.device) for name, values in groups.items()}

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.device)


def _autoreset_mode(env: VectorEnv[Any, Any, Any]) -> tuple[AutoresetMode, bool]:
    """How ended episodes are followed, and whether a reset can be one of some environments only."""
    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        expected = "a gymnasium.vector.AutoresetMode: when is the next episode begun?"
        raise ContractError("metadata['autoreset_mode']", got=repr(mode), expected=expected)
    heeds_mask = isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv) or mode == AutoresetMode.DISABLED
    if mode == AutoresetMode.NEXT_STEP and not heeds_mask:
        raise ContractError(
            "metadata['autoreset_mode']",
            got=f"NEXT_STEP of {type(env.unwrapped).__name__}",
            expected="SAME_STEP or DISABLED: a step whose action is ignored must not be learned from",
            fix="Make it in another mode, or with env.vectorization=sync.",
        )
    return mode, heeds_mask


def _time_limit(env: VectorEnv[Any, Any, Any]) -> int:
    inner = env.unwrapped
    spec = inner.spec or (inner.envs[0].spec if isinstance(inner, SyncVectorEnv) else None)
    if spec is None or not spec.max_episode_steps:
        raise ContractError(
            "max_episode_steps",
            got="nothing in the spec of the environment",
            expected="the steps after which an episode is truncated",
            fix="Set env.max_episode_steps=1000, say.",
        )
    return spec.max_episode_steps
