"""Who is imitated: frozen policies, each with a block of the environments.

Axes: `N` environments, `K` teachers, `A` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.distributions import Distribution
from fleetfoot.models.memory import State, reset_state

__all__ = ["Teachers"]


@final
class Teachers:
    """One policy or several, as they were trained: nothing here ever changes them.

    Teacher `k` labels the environments `n` with `n K // N = k`, counted from zero: blocks, in which environments are
    also spread over the columns of a terrain.

    Args:
        actors: The policies, by their paths below `agent.`.
        num_envs: `N`; at least as many as teachers.
        device: Where they live.
    """

    def __init__(self, actors: Mapping[str, Actor], num_envs: int, device: torch.device) -> None:
        self.actors = dict(actors)
        self.sources: tuple[str, ...] = ()
        """Where each was trained, as the path of a checkpoint; empty while they are but networks of the right size."""
        for actor in self.actors.values():
            actor.eval().requires_grad_(False)
        firsts = [-(-k * num_envs // len(actors)) for k in range(len(actors) + 1)]
        self._blocks = [slice(first, end) for first, end in pairwise(firsts)]
        self._device = device
        self.forget()

    def forget(self) -> None:
        """All that is remembered of the episodes is gone."""
        pairs = zip(self.actors.values(), self._blocks, strict=True)
        self.states: list[State] = [a.memory.initial_state(b.stop - b.start, self._device) for a, b in pairs]
        """What each remembers, `[layers, n, H]` each for the `n` environments of its block."""

    @torch.no_grad()
    def label(self, obs: Observations) -> Distribution:
        """What the teacher of each environment would do, `[N, A]`, for observations `[N, …]`; that is remembered."""
        said: list[Distribution] = []
        for k, (actor, block) in enumerate(zip(self.actors.values(), self._blocks, strict=True)):
            seen = {group: obs[group][block] for group in (*actor.inputs.groups, *actor.inputs.images)}
            distribution, self.states[k] = actor.step(seen, self.states[k])
            said.append(distribution)
        return type(said[0])(*(torch.cat(parameters) for parameters in zip(*said, strict=True)))

    def record(self, done: Tensor) -> None:
        """Forget what belongs to episodes that ended, bool `[N]`."""
        pairs = zip(self.states, self._blocks, strict=True)
        self.states = [reset_state(state, done[block]) for state, block in pairs]
