"""The rollout buffer: `T` steps of `N` environments, allocated once, time first.

A rollout is written row by row and learned from in sequences of `L` steps. Networks without memory learn from single
steps, which are sequences of one. With `T = 4`, `N = 2`:

    step 0   o00 o01
    step 1   o10 o11      L = 1: eight sequences   o00 | o01 | o10 | o11 | o20 | o21 | o30 | o31
    step 2   o20 o21      L = 2: four              o00 o10 | o01 o11 | o20 o30 | o21 o31
    step 3   o30 o31      L = 4: two               o00 o10 o20 o30 | o01 o11 o21 o31

Every sequence has the memory that the network had when it began, so none is ever padded or split: where an episode ends
inside of one, the memory is forgotten there.

Axes: `T` time, `N` environments, `A` actions, `L` steps of a sequence, `B` sequences of a mini-batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import WHOLE_REWARD, Observations, StepResult
from fleetfoot.models.distributions import Distribution, mapped
from fleetfoot.models.memory import State

__all__ = ["Batch", "RolloutBuffer", "in_sequences", "mini_batches"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences to learn from."""

    obs: Observations
    """Group name to `[L, B, …]`."""
    actions: Tensor
    """`[L, B, A]`."""
    distribution: Distribution
    """The policy that acted, `[L, B, A]`."""
    log_probs: Tensor
    """Of the actions under that policy, `[L, B]`."""
    values: Tensor
    """Of the critic as it was, `[L, B]`; `[L, B, G]` if each of `G` groups of rewards has a critic."""
    advantages: Tensor
    """`[L, B]`."""
    returns: Tensor
    """As the values."""
    reset: Tensor
    """Where an episode begins inside of a sequence, bool `[L, B]`; never at its first step."""
    actor_state: State
    """Memory of the actor before each sequence, `[layers, B, H]` each."""
    critic_state: State
    """Memory of the critic before each sequence, `[layers, B, H]` each."""
    index: Tensor
    """Which sequences of the rollout these are, int64 `[B]`."""

    def __len__(self) -> int:
        """The number of sequences."""
        return self.actions.shape[1]

    def select(self, index: Tensor) -> Batch:
        """The sequences at `index` `[B]`."""

        def pick(x: Tensor) -> Tensor:
            return x.index_select(1, index)

        return Batch(
            obs={group: pick(x) for group, x in self.obs.items()},
            actions=pick(self.actions),
            distribution=mapped(self.distribution, pick),
            log_probs=pick(self.log_probs),
            values=pick(self.values),
            advantages=pick(self.advantages),
            returns=pick(self.returns),
            reset=pick(self.reset),
            actor_state=tuple(map(pick, self.actor_state)),
            critic_state=tuple(map(pick, self.critic_state)),
            index=self.index.index_select(0, index),
        )


@final
class RolloutBuffer:
    """What `T` steps of `N` environments gave; only the observation groups that are read are kept, each once.

    Args:
        num_steps: `T`.
        num_envs: `N`.
        sequence_length: `L`; divides `T`.
        obs_spec: Observation groups to keep and their shapes.
        final_groups: Those of them that are also kept as they were before a reset.
        distribution: What is learned from, for one environment, `[1, A]` each, to see what has to be kept of it: the
            policy that acts, or the teacher's.
        actor_state: Its memory for one environment, `[layers, 1, H]` each.
        device: Where the buffer lives.
    """

    def __init__(
        self,
        num_steps: int,
        num_envs: int,
        sequence_length: int,
        obs_spec: Mapping[str, tuple[int, ...]],
        final_groups: tuple[str, ...],
        distribution: Distribution,
        actor_state: State,
        device: torch.device,
    ) -> None:
        self.num_steps, self.num_envs, self.sequence_length = num_steps, num_envs, sequence_length

        def allocate(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(num_steps, num_envs, *shape, dtype=dtype, device=device)

        def allocate_state(x: Tensor) -> Tensor:
            layers, _, size = x.shape
            return torch.zeros(num_steps // sequence_length, layers, num_envs, size, device=device)

        self.obs = {group: allocate(*shape) for group, shape in obs_spec.items()}
        self.final_obs = {group: allocate(*obs_spec[group]) for group in final_groups}
        self.actions = allocate(distribution.mode().shape[-1])
        self.distribution = mapped(distribution, lambda x: allocate(*x.shape[1:]))
        self.actor_state = tuple(allocate_state(x) for x in actor_state)
        self.rewards = allocate()
        self.group_rewards: dict[str, Tensor] = {}
        """What the rewards are made of, group name to `[T, N]`; each allocated when it is first given."""
        self.terminated = allocate(dtype=torch.bool)
        self.truncated = allocate(dtype=torch.bool)
        self._step = 0

    def add_decision(self, obs: Observations, state: State, actions: Tensor, distribution: Distribution) -> None:
        """Write what was seen, remembered before it, and decided at this step: `[N, …]`, and `[layers, N, H]` each."""
        assert self._step < self.num_steps, "the rollout is full: clear() it first"
        for group, rows in self.obs.items():
            rows[self._step].copy_(obs[group])
        self.actions[self._step].copy_(actions)
        for rows, value in zip(self.distribution, distribution, strict=True):
            rows[self._step].copy_(value)
        sequence, inside = divmod(self._step, self.sequence_length)
        if inside == 0:
            for rows, value in zip(self.actor_state, state, strict=True):
                rows[sequence].copy_(value)

    def add_outcome(self, result: StepResult) -> None:
        """Write what came of it, and go on to the next step."""
        t = self._step
        self.rewards[t].copy_(result.reward)
        for name, reward in (result.reward_groups or {WHOLE_REWARD: result.reward}).items():
            if name not in self.group_rewards:
                self.group_rewards[name] = torch.zeros_like(self.rewards)
            self.group_rewards[name][t].copy_(reward)
        self.terminated[t].copy_(result.terminated)
        self.truncated[t].copy_(result.truncated)
        if result.final_obs is not None:
            for group, rows in self.final_obs.items():
                rows[t].copy_(result.final_obs[group])
        self._step += 1

    @property
    def is_empty(self) -> bool:
        """Whether a rollout begins."""
        return self._step == 0

    @property
    def is_full(self) -> bool:
        """Whether all `T` steps are there."""
        return self._step == self.num_steps

    @property
    def done(self) -> Tensor:
        """Where an episode ended, either way, bool `[T, N]`."""
        return self.terminated | self.truncated

    def clear(self) -> None:
        """Begin again; what was written stays until it is overwritten."""
        self._step = 0

    def sequences(
        self, log_probs: Tensor, values: Tensor, advantages: Tensor, returns: Tensor, critic_state: State
    ) -> Batch:
        """Everything as one batch of `T / L * N` sequences.

        Args:
            log_probs: Of the actions, `[T, N]`; `values`, `advantages` and `returns` likewise.
            values: Of the critic; `[T, N, G]`, as the returns are then, if each of `G` groups of rewards has one.
            advantages: Of the actions.
            returns: What the critic should have said.
            critic_state: Its memory before each sequence, `[T / L, layers, N, H]` each.
        """

        def cut(x: Tensor) -> Tensor:
            return in_sequences(x, self.sequence_length)

        def side_by_side(x: Tensor) -> Tensor:
            return x.transpose(0, 1).flatten(1, 2)

        reset = cut(self.done.roll(1, dims=0))
        reset[0] = False
        return Batch(
            obs={group: cut(x) for group, x in self.obs.items()},
            actions=cut(self.actions),
            distribution=mapped(self.distribution, cut),
            log_probs=cut(log_probs),
            values=cut(values),
            advantages=cut(advantages),
            returns=cut(returns),
            reset=reset,
            actor_state=tuple(map(side_by_side, self.actor_state)),
            critic_state=tuple(map(side_by_side, critic_state)),
            index=torch.arange(reset.shape[1], device=reset.device),
        )


def in_sequences(x: Tensor, length: int) -> Tensor:
    """A rollout `[T, N, …]` as sequences of `length` steps, `[L, T / L * N, …]`; a view for `L` of 1 and of `T`."""
    return x.unflatten(0, (-1, length)).transpose(0, 1).flatten(1, 2)


def mini_batches(sequences: Batch, num: int, order: Tensor) -> Iterator[Batch]:
    """The sequences in a given order, in `num` mini-batches of one size.

    Args:
        sequences: All of them.
        num: Number of mini-batches; divides the length of `order`.
        order: Which sequences, int64 `[num * B]`.
    """
    for index in order.view(num, -1):
        yield sequences.select(index)
