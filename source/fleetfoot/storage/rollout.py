"""The rollout buffer: `T` steps of `N` environments, allocated once, time first.

With `T = 3`, `N = 2`, a rollout is written row by row and read as one flat list of samples, time-major:

    step 0   o00 o01
    step 1   o10 o11      samples: o00 o01 o10 o11 o20 o21     (sample i is step i // N of environment i % N)
    step 2   o20 o21

Axes: `T` time, `N` environments, `A` actions, `B` samples of a mini-batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.models.distributions import Gaussian

__all__ = ["Batch", "RolloutBuffer", "shuffled_mini_batches"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples to learn from; the first axes of every member are the same."""

    obs: Observations
    """Group name to `[…, O]`."""
    actions: Tensor
    """`[…, A]`."""
    distribution: Gaussian
    """The policy that acted, `[…, A]`."""
    log_probs: Tensor
    """Of the actions under that policy, `[…]`."""
    values: Tensor
    """Of the critic as it was, `[…]`."""
    advantages: Tensor
    """`[…]`."""
    returns: Tensor
    """`[…]`."""

    def select(self, index: Tensor) -> Batch:
        """The samples at `index` `[B]` of the first axis."""

        def pick(x: Tensor) -> Tensor:
            return x.index_select(0, index)

        return Batch(
            obs={group: pick(x) for group, x in self.obs.items()},
            actions=pick(self.actions),
            distribution=Gaussian(*map(pick, self.distribution)),
            log_probs=pick(self.log_probs),
            values=pick(self.values),
            advantages=pick(self.advantages),
            returns=pick(self.returns),
        )


@final
class RolloutBuffer:
    """What `T` steps of `N` environments gave; only the observation groups that are read are kept, each once.

    Args:
        num_steps: `T`.
        num_envs: `N`.
        obs_spec: Observation groups to keep and their shapes.
        final_groups: Those of them that are also kept as they were before a reset, for the critic.
        num_actions: `A`.
        device: Where the buffer lives.
    """

    def __init__(
        self,
        num_steps: int,
        num_envs: int,
        obs_spec: Mapping[str, tuple[int, ...]],
        final_groups: tuple[str, ...],
        num_actions: int,
        device: torch.device,
    ) -> None:
        self.num_steps, self.num_envs = num_steps, num_envs

        def allocate(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(num_steps, num_envs, *shape, dtype=dtype, device=device)

        self.obs = {group: allocate(*shape) for group, shape in obs_spec.items()}
        self.final_obs = {group: allocate(*obs_spec[group]) for group in final_groups}
        self.actions = allocate(num_actions)
        self.distribution = Gaussian(allocate(num_actions), allocate(num_actions))
        self.rewards = allocate()
        self.terminated = allocate(dtype=torch.bool)
        self.truncated = allocate(dtype=torch.bool)
        self._step = 0

    def add_decision(self, obs: Observations, actions: Tensor, distribution: Gaussian) -> None:
        """Write what was seen and decided at this step, `[N, …]` each."""
        assert self._step < self.num_steps, "the rollout is full: clear() it first"
        for group, rows in self.obs.items():
            rows[self._step].copy_(obs[group])
        self.actions[self._step].copy_(actions)
        for rows, value in zip(self.distribution, distribution, strict=True):
            rows[self._step].copy_(value)

    def add_outcome(self, result: StepResult) -> None:
        """Write what came of it, and go on to the next step."""
        t = self._step
        self.rewards[t].copy_(result.reward)
        self.terminated[t].copy_(result.terminated)
        self.truncated[t].copy_(result.truncated)
        if result.final_obs is not None:
            for group, rows in self.final_obs.items():
                rows[t].copy_(result.final_obs[group])
        self._step += 1

    @property
    def is_full(self) -> bool:
        """Whether all `T` steps are there."""
        return self._step == self.num_steps

    def clear(self) -> None:
        """Begin again; what was written stays until it is overwritten."""
        self._step = 0

    def samples(self, log_probs: Tensor, values: Tensor, advantages: Tensor, returns: Tensor) -> Batch:
        """Everything as one flat batch of `T * N` samples; the arguments are `[T, N]`."""
        return Batch(
            obs={group: x.flatten(0, 1) for group, x in self.obs.items()},
            actions=self.actions.flatten(0, 1),
            distribution=Gaussian(*(x.flatten(0, 1) for x in self.distribution)),
            log_probs=log_probs.flatten(),
            values=values.flatten(),
            advantages=advantages.flatten(),
            returns=returns.flatten(),
        )


def shuffled_mini_batches(samples: Batch, num: int, generator: torch.Generator) -> Iterator[Batch]:
    """Every sample once, in a new random order, in `num` mini-batches of one size.

    Args:
        samples: `num * B` samples.
        num: Number of mini-batches; divides the number of samples (checked when the algorithm is built).
        generator: Draws the order.
    """
    size = samples.actions.shape[0]
    order = torch.randperm(size, generator=generator, device=samples.actions.device)
    for index in order.view(num, size // num):
        yield samples.select(index)
