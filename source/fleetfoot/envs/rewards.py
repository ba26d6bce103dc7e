"""The reward of a step, its sum over episodes, and what is reported of both.

Axes: `N` environments, `n` some of them, `K` reward terms, `G` groups of them, `M` metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar, final

import torch
from torch import Tensor

from fleetfoot.envs.task import Task

__all__ = ["RewardSum"]

S = TypeVar("S")


@final
class RewardSum(Generic[S]):
    """`reward = sum over k of weight[k] * term[k](state) * step_dt`, all terms at once as `[K, N]`.

    Terms of weight zero are never evaluated.

    Args:
        task: Gives the terms, the metrics and the floor.
        num_envs: `N`.
        device: Where the sums live.
    """

    def __init__(self, task: Task[S], num_envs: int, device: torch.device) -> None:
        self._terms = tuple(term for term in task.rewards if term.weight != 0.0)
        # A metric that is the very function of a reward is not computed twice.
        rewards = [term.fn for term in self._terms]
        self._functions = [*rewards, *(fn for fn in task.metrics.values() if fn not in rewards)]
        self._reported = [(tag, self._functions.index(fn)) for tag, fn in task.metrics.items()]
        self._floor = task.reward_floor
        self._episode_length_s = task.episode_length_s
        weights = [[term.weight * task.step_dt] for term in self._terms]
        self._weights = torch.tensor(weights, device=device).reshape(len(self._terms), 1)
        groups = tuple(dict.fromkeys(term.group for term in task.rewards))
        self.groups = groups if len(groups) > 1 else ()
        """Names of the groups; empty if there is only one."""
        self._group = torch.tensor([groups.index(term.group) for term in self._terms], dtype=torch.int64, device=device)
        self.sums = torch.zeros(len(self._terms), num_envs, device=device)
        """Weighted sum of each term over the running episodes, `[K, N]`."""

    def add(self, state: S, failed: Tensor | None, metrics: dict[str, Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The reward of a step, added to the sums.

        Args:
            state: The task's view of all environments.
            failed: Indices `[n]` of environments whose state means nothing; they get no reward.
            metrics: Takes the means of the task's metrics.

        Returns:
            The reward `[N]`, and the sum of each group, `[N]` each.
        """
        stacked = torch.stack([fn(state) for fn in self._functions])
        if self._reported:
            means = stacked.mean(dim=1)
            metrics.update((tag, means[row]) for tag, row in self._reported)
        weighted = stacked[: len(self._terms)] * self._weights
        if failed is not None:
            weighted.index_fill_(1, failed, 0.0)
        self.sums += weighted
        total = weighted.sum(dim=0)
        total = total if self._floor is None else total.clamp_(min=self._floor)
        if not self.groups:
            return total, {}
        parts = weighted.new_zeros(len(self.groups), len(total)).index_add_(0, self._group, weighted)
        return total, dict(zip(self.groups, parts.unbind(), strict=True))

    def report(self, ids: Tensor, metrics: dict[str, Tensor]) -> None:
        """Mean reward per second of full episode length of each term, over the episodes `ids` `[n]` that ended."""
        means = self.sums.index_select(1, ids).mean(dim=1) / self._episode_length_s
        for term, mean in zip(self._terms, means.unbind(), strict=True):
            metrics[f"Episode_Reward/{term.name}"] = mean

    def state_dict(self) -> dict[str, Tensor]:
        """Term name to its sums `[N]`."""
        return {term.name: row.clone() for term, row in zip(self._terms, self.sums, strict=True)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the sums of the terms that there were; the others begin at zero."""
        for term, row in zip(self._terms, self.sums, strict=True):
            row.copy_(state.get(term.name, torch.zeros_like(row)))
