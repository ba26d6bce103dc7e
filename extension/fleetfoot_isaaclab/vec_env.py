"""An environment of Isaac Lab as ours: manager-based, direct, or several agents as one.

Axes: `N` environments, `A` actions, `O` numbers of an observation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, final

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.said import as_metrics
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult
from fleetfoot.errors import ContractError
from fleetfoot_isaaclab.contract import action_names, describe
from fleetfoot_isaaclab.history import observe_with_this_step
from fleetfoot_isaaclab.pictures import take_picture

__all__ = ["IsaacLabVecEnv"]

_NESTED: Final = "{group}/{term}"
"""Name of a term whose group is not put together: no network of Isaac Lab's own reads such a group."""


@final
class IsaacLabVecEnv:
    """Lets a learner of ours train in an environment of Isaac Lab.

    Args:
        env: The environment, without Gymnasium's wrappers; its config has `compute_final_obs`.
        clip_actions: Actions are clipped to between minus this and this; None for not at all.
        find_mirrors: Finds the mirror images of the robot, if it has any; asked once, by whoever wants to know.
        on_close: Called when the environment is closed.

    Raises:
        ContractError: Its actions are no vector of numbers.
    """

    def __init__(
        self,
        env: Any,
        *,
        clip_actions: float | None = None,
        find_mirrors: Callable[[Any, Mapping[str, int]], tuple[MirrorImage, ...]] = lambda env, sizes: (),
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._env, self._clip, self._find_mirrors, self._on_close = env, clip_actions, find_mirrors, on_close
        self._is_closed = False
        self.num_envs = int(env.num_envs)
        self.device = exact_device(env.device)
        self.step_dt = float(env.step_dt)
        self.max_episode_length = int(env.max_episode_length)
        self.action_spec = _action_spec(env.single_action_space, clip_actions, action_names(env))
        observe_with_this_step(env)
        self.observation_spec: Mapping[str, tuple[int, ...]] = {
            group: tuple(value.shape[1:]) for group, value in self.reset().items()
        }

    @property
    def unwrapped(self) -> Any:
        """Isaac Lab's own environment."""
        return self._env

    @property
    def episode_length(self) -> Tensor:
        """Control steps since the last reset, int64 `[N]`: Isaac Lab's own buffer."""
        return self._env.episode_length_buf

    @cached_property
    def mirror_images(self) -> tuple[MirrorImage, ...]:
        """All mirror images of the robot but itself; empty if it has none."""
        sizes = {group: shape[0] for group, shape in self.observation_spec.items() if len(shape) == 1}
        return self._find_mirrors(self._env, sizes)

    def reset(self, seed: int | None = None) -> Observations:
        """Begin new episodes everywhere; with a seed, everything random restarts from it."""
        # Its buffers are written in place for as long as it lives, in whatever mode the caller is.
        with torch.inference_mode(False), torch.no_grad():
            obs, extras = self._env.reset(seed=seed)
            _take_final_obs(extras)
            return _copy(obs)

    def step(self, actions: Tensor) -> StepResult:
        """Advance by one control step."""
        check_actions(self, actions)
        with torch.inference_mode(False), torch.no_grad():
            own = actions.clone() if self._clip is None else actions.clamp(-self._clip, self._clip)
            obs, reward, terminated, truncated, extras = self._env.step(own)
            # An episode that ends for both reasons has ended; where time is part of the task, nothing comes after it.
            ended = terminated | truncated if self._env.cfg.is_finite_horizon else terminated.clone()
            final_obs = _take_final_obs(extras)
            return StepResult(
                obs=_copy(obs),
                reward=reward.to(torch.float32, copy=True),
                terminated=ended,
                truncated=truncated & ~ended,
                final_obs=None if final_obs is None else _copy(final_obs),
                metrics=self._take_metrics(extras),
            )

    def policy_contract(self) -> dict[str, Any]:
        """See `DescribedEnv.policy_contract`."""
        return describe(self._env, self._clip)

    def render(self) -> NDArray[np.uint8]:
        """The first environment as it is now, `[H, W, 3]`."""
        return take_picture(self._env)

    def close(self) -> None:
        """Close the environment, and the simulation that was launched for it."""
        if not self._is_closed:
            self._is_closed = True
            self._env.close()
            self._on_close()

    def _take_metrics(self, extras: dict[str, Any]) -> dict[str, Tensor]:
        """What the environment said in this step, scalars `[]`; taken away: it leaves lying there what it said."""
        said = extras.get("log", {})
        metrics = as_metrics(said, self.device, prefix="Episode/")
        said.clear()  # in place: of several agents as one, `extras` is a copy, and the dicts in it are not
        return metrics


def _take_final_obs(extras: dict[str, Any]) -> Mapping[str, Any] | None:
    """The observations before the resets of this step; taken away, or they would be those of later steps too."""
    for of_agent in extras.values():
        if isinstance(of_agent, dict):
            of_agent.pop("final_obs", None)
    return extras.pop("final_obs", None)


def _action_spec(space: Any, clip: float | None, names: tuple[str, ...]) -> ActionSpec:
    if not isinstance(space, Box) or len(space.shape) != 1:
        expected = "a vector of numbers, a Box of one dimension"
        fix = "Policies here cannot act in anything else."
        raise ContractError("action_space", got=repr(space), expected=expected, fix=fix)
    size = space.shape[0]
    if clip is None:
        return ActionSpec(size=size, names=names)
    return ActionSpec(size=size, names=names, low=(-clip,) * size, high=(clip,) * size)


def _copy(obs: Mapping[str, Any]) -> Observations:
    """Groups as float32 tensors `[N, …]` of their own: Isaac Lab writes the next ones into the same memory."""
    found: dict[str, Tensor] = {}
    for group, value in obs.items():
        if isinstance(value, Mapping):
            found |= {_NESTED.format(group=group, term=term): x for term, x in _copy(value).items()}
        else:
            found[group] = value.to(torch.float32, copy=True)
    return found
