"""The environment contract: the only thing that learning and simulation both know.

An environment is `N` robots stepped at once. It hands out and takes batched torch tensors on one device.

Axes: `N` environments, `A` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

__all__ = [
    "WHOLE_REWARD",
    "ActionSpec",
    "CurriculumEnv",
    "DescribedEnv",
    "FilmingEnv",
    "GroupedRewardEnv",
    "Observations",
    "Policy",
    "StatefulEnv",
    "StepResult",
    "VecEnv",
]

Observations: TypeAlias = Mapping[str, Tensor]
"""Group name to a float tensor `[N, …]`."""
WHOLE_REWARD = "task"
"""The one group of rewards of an environment that has no groups."""


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """What `step` accepts: float tensors `[N, size]`."""

    size: int
    """Number of actions `A`."""
    names: tuple[str, ...] = ()
    """What each action moves, as joint names; empty when unknown."""
    low: tuple[float, ...] | None = None
    """Smallest action the environment can use, one per action; None when unbounded."""
    high: tuple[float, ...] | None = None
    """Largest action the environment can use, one per action; None when unbounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What one control step gave. Tensors in it are never overwritten by a later step."""

    obs: Observations
    """Observations to act on next, `[N, …]` each. Where an episode ended they belong to the episode that begins."""
    reward: Tensor
    """Reward of the step, float `[N]`."""
    terminated: Tensor
    """True where the episode ended in a state of no further value (a fall), bool `[N]`."""
    truncated: Tensor
    """True where the episode was cut although it could have gone on (a time limit), bool `[N]`."""
    final_obs: Observations | None
    """Observations before the reset, `[N, …]` each, meaningful where an episode ended; None if none did."""
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    """What to log, tag to scalar tensor `[]`; a tag may be absent from a step that has nothing to say."""
    reward_groups: Mapping[str, Tensor] = field(default_factory=dict)
    """What the reward is made of, float `[N]` each, by the names of `GroupedRewardEnv`; empty if all is of one kind."""


@runtime_checkable
class VecEnv(Protocol):
    """`N` environments that reset themselves in the step that ends their episode.

    `check_vec_env` executes this contract against an implementation.
    """

    num_envs: int
    """Number of environments `N`."""
    device: torch.device
    """Where every tensor of the contract lives."""
    step_dt: float
    """Duration of one control step [s]."""
    max_episode_length: int
    """Control steps after which an episode is truncated."""
    observation_spec: Mapping[str, tuple[int, ...]]
    """Group name to the shape of one environment's observation."""
    action_spec: ActionSpec

    @property
    def episode_length(self) -> Tensor:
        """Control steps since the last reset, int64 `[N]`. Writing into it moves environments within their episodes."""
        ...

    def reset(self, seed: int | None = None) -> Observations:
        """Begin new episodes everywhere; with a seed, everything random restarts from it."""
        ...

    def step(self, actions: Tensor) -> StepResult:
        """Advance by one control step.

        Args:
            actions: Float tensor `[N, A]` on `device`.

        Raises:
            ContractError: The actions have another shape, type or device.
        """
        ...

    def close(self) -> None:
        """Release what the environment holds; it cannot be stepped afterwards."""
        ...


class Policy(Protocol):
    """What acts in an environment outside of training. It may remember what it has seen."""

    def __call__(self, obs: Observations) -> Tensor:
        """Actions `[N, A]` for observations `[N, …]`."""
        ...

    def reset(self, done: Tensor | None = None) -> None:
        """Forget what came before, where `done` bool `[N]` says so, or everywhere."""
        ...


@runtime_checkable
class StatefulEnv(Protocol):
    """An environment that can say its whole state: what an exact resume needs."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the next step: tensors and plain numbers, nested in dicts."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> Observations:
        """Take over a state; returns the observations that follow from it, `[N, …]` each."""
        ...


@runtime_checkable
class CurriculumEnv(Protocol):
    """An environment that gets harder with the number of its control steps, and cannot say its whole state."""

    def go_on_from_step(self, step: int) -> None:
        """Be as hard as after so many control steps, also after a reset."""
        ...


@runtime_checkable
class GroupedRewardEnv(Protocol):
    """An environment whose reward has parts of different kinds, each of which can have a critic of its own."""

    @property
    def reward_groups(self) -> tuple[str, ...]:
        """Names of the parts; empty if all is of one kind."""
        ...


@runtime_checkable
class DescribedEnv(Protocol):
    """An environment that can say what a policy for it must know: what an exported policy carries along."""

    def policy_contract(self) -> dict[str, Any]:
        """Plain JSON data: joint names, gains, scales, observation terms, ranges of the command, control period."""
        ...


@runtime_checkable
class FilmingEnv(Protocol):
    """An environment that makes videos on the side."""

    def take_videos(self) -> list[Path]:
        """The videos that were finished since the last time."""
        ...
