"""A rollout in windows: consecutive steps of environments side by side, one window after the other in order of time.

With `T = 5` and windows of 2 steps:

    step     0   1 | 2   3 | 4        the last window has what is left
    memory   m0  → | m2  → | m4  →    carried from one window to the next; only m0 is stored

The first window may already have steps elsewhere: with one of its two, `0 | 1 2 | 3 4`.
Where an episode began with a step, also with the first of a window, the memory is forgotten before it.

Axes: `T` time, `N` environments, `L` steps of a window, `B` environments of a mini-batch, `A` actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.distributions import Distribution, mapped
from fleetfoot.models.memory import State
from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["Window", "first_state", "windows"]


@dataclass(frozen=True, slots=True)
class Window:
    """Some steps to learn from."""

    obs: Observations
    """Group name to `[L, B, …]`."""
    distribution: Distribution
    """What was stored with them, `[L, B, A]`."""
    reset: Tensor
    """Where an episode begins with a step, bool `[L, B]`."""


def windows(rollout: RolloutBuffer, length: int, envs: Tensor, begun: int = 0) -> Iterator[Window]:
    """A full rollout of some of its environments.

    Args:
        rollout: What was collected.
        length: Steps of a window; the last one may have fewer.
        envs: Which environments, int64 `[B]`.
        begun: How many steps the first window already has, below `length`: here it has the others.
    """
    reset = rollout.done.roll(1, dims=0)
    reset[0] = False  # the memory that is stored has forgotten already
    for start in range(-begun, rollout.num_steps, length):

        def cut(x: Tensor, start: int = start) -> Tensor:
            return x[max(start, 0) : start + length].index_select(1, envs)

        yield Window(
            obs={group: cut(x) for group, x in rollout.obs.items()},
            distribution=mapped(rollout.distribution, cut),
            reset=cut(reset),
        )


def first_state(rollout: RolloutBuffer, envs: Tensor) -> State:
    """The memory before the first step of a rollout, `[layers, B, H]` each.

    Args:
        rollout: What was collected.
        envs: Which environments, int64 `[B]`.
    """
    return tuple(x[0].index_select(1, envs) for x in rollout.actor_state)
