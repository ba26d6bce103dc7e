"""An environment made for rsl_rl, as it is: what it lacks of our contract cannot be had.

    theirs                                          ours
    get_observations() -> TensorDict or dict        reset() -> the same; nothing is reset
    step() -> obs, rewards, dones, extras           step() -> StepResult; there are no observations before a reset
    extras["time_outs"]                             truncated: where an episode ended for that reason
    extras["episode"], else extras["log"]           metrics; a key without "/" is below `Episode/`
    episode_length_buf                              episode_length

Axes: `N` environments, `A` actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.said import as_metrics
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult
from fleetfoot.errors import ContractError

__all__ = ["Adapter", "RslRlVecEnv", "TheirObservations", "observe", "step_dt_of"]


@runtime_checkable
class TheirObservations(Protocol):
    """A TensorDict, or a dict: group name to tensor `[N, …]`."""

    def keys(self) -> Iterable[str]:
        """Names of the groups."""
        ...

    def __getitem__(self, key: str, /) -> Any:
        """A group."""
        ...


class RslRlVecEnv(Protocol):
    """What rsl_rl asks of an environment."""

    num_envs: int
    num_actions: int
    max_episode_length: int | Tensor
    """Control steps, of all environments or of each."""
    episode_length_buf: Tensor
    """Control steps since the last reset, `[N]`; can be set."""
    device: torch.device | str

    def get_observations(self) -> TheirObservations:
        """What there is to see now."""
        ...

    def step(self, actions: Tensor, /) -> tuple[TheirObservations, Tensor, Tensor, Mapping[str, Any]]:
        """Observations, rewards `[N]`, whether episodes ended `[N]`, and what else there is to say."""
        ...


@runtime_checkable
class _Wrapped(Protocol):
    unwrapped: Any


@runtime_checkable
class _Timed(Protocol):
    step_dt: float


def step_dt_of(env: object) -> float | None:
    """Duration of a control step [s] where rsl_rl looks for it, in `env.unwrapped`; None if it is not there."""
    inner = env.unwrapped if isinstance(env, _Wrapped) else env
    return float(inner.step_dt) if isinstance(inner, _Timed) else None


def observe(env: RslRlVecEnv, device: torch.device | str) -> Observations:
    """What there is to see now: the groups that are tensors. What is nested no network can read, there or here.

    Raises:
        ContractError: The environment was made for rsl_rl of before version 3.
    """
    obs = env.get_observations()
    if not isinstance(obs, TheirObservations):
        expected = "a TensorDict or a dict of observation groups, as since rsl_rl 3.0"
        raise ContractError("get_observations()", got=type(obs).__name__, expected=expected)
    return _tensors(obs, obs.keys(), device)


@final
class Adapter:
    """Lets a learner of ours train in an environment of theirs.

    Args:
        env: The environment; it is already running, and resets itself.
        device: Where the learner wants its tensors.
        observation_spec: Observation groups to hand out, and their shapes.
        mirror_images: Those of its robot, if it has any.
    """

    def __init__(
        self,
        env: RslRlVecEnv,
        device: torch.device | str,
        observation_spec: Mapping[str, tuple[int, ...]],
        mirror_images: tuple[MirrorImage, ...] = (),
    ) -> None:
        self._env, self._env_device = env, exact_device(env.device)
        self.device = exact_device(device)
        self.num_envs = env.num_envs
        self.step_dt = step_dt_of(env) or 1.0  # who needs to know it has asked `step_dt_of`
        self.max_episode_length = int(torch.as_tensor(env.max_episode_length).max())
        self.observation_spec = observation_spec
        self.action_spec = ActionSpec(size=env.num_actions)
        self.mirror_images = mirror_images

    @property
    def episode_length(self) -> Tensor:
        """Control steps since the last reset, int64 `[N]`; theirs itself where it is of that type and place."""
        return self._env.episode_length_buf.to(self.device, torch.int64)

    def reset(self, seed: int | None = None) -> Observations:
        """What there is to see now: rsl_rl never resets an environment, and gives it no seed."""
        return _tensors(self._env.get_observations(), self.observation_spec, self.device)

    @torch.no_grad()
    def step(self, actions: Tensor) -> StepResult:
        """Advance by one control step."""
        check_actions(self, actions)
        obs, reward, done, extras = self._env.step(actions.to(self._env_device))
        ended = done.to(self.device).bool()
        truncated = torch.zeros_like(ended)
        if "time_outs" in extras:
            truncated = ended & extras["time_outs"].to(self.device).bool()
        return StepResult(
            obs=_tensors(obs, self.observation_spec, self.device),
            reward=reward.to(self.device, torch.float32),
            terminated=ended & ~truncated,
            truncated=truncated,
            final_obs=None,
            metrics=as_metrics(extras.get("episode", extras.get("log", {})), self.device, prefix="Episode/"),
        )

    def close(self) -> None:
        """Leave it open: the script that made it closes it."""


def _tensors(obs: TheirObservations, groups: Iterable[str], device: torch.device | str) -> Observations:
    found = {group: obs[group] for group in groups}
    return {group: x.to(device, torch.float32) for group, x in found.items() if isinstance(x, Tensor)}
