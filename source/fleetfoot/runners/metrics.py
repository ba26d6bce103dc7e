"""Metrics of an iteration: gathered on the device, read back once.

Axis: `N` environments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import StepResult
from fleetfoot.errors import NonFiniteError

__all__ = ["EpisodeStatistics", "StepMetrics", "pool", "raise_if_non_finite", "read_back"]

_SKIPPED: Final = "NonFinite/gradient"
"""The share of gradient steps that were left out."""


@final
class EpisodeStatistics:
    """Mean return and length of the last finished episodes, kept in a ring on the device.

    Args:
        num_envs: `N`.
        device: Where the statistics live.
        window: How many finished episodes the means go over.
    """

    def __init__(self, num_envs: int, device: torch.device, window: int = 100) -> None:
        self.window = window
        self._running = torch.zeros(2, num_envs, device=device)  # return and length so far
        # One column more than the window: environments whose episode goes on write there, so shapes stay static.
        self._finished = torch.zeros(2, window + 1, device=device)
        self._count = torch.zeros((), dtype=torch.int64, device=device)

    def record(self, result: StepResult) -> None:
        """Take in one step of all environments."""
        done = result.terminated | result.truncated
        self._running[0] += result.reward
        self._running[1] += 1
        rank = done.cumsum(0)
        total = rank[-1]
        # Of more episodes than fit into the ring, the last of this step are kept.
        kept = done & (rank > total - self.window)
        slot = torch.where(kept, (self._count + rank - 1) % self.window, self.window)
        self._finished.index_copy_(1, slot, self._running)
        self._count += total
        self._running *= ~done

    def metrics(self) -> dict[str, Tensor]:
        """Means over the window, scalar tensors; NaN until an episode has finished."""
        size = self._count.clamp(max=self.window)
        filled = torch.arange(self.window, device=size.device) < size
        means = (self._finished[:, :-1] * filled).sum(1) / size
        return {"Train/mean_reward": means[0], "Train/mean_episode_length": means[1]}

    def state_dict(self) -> dict[str, Any]:
        """Tensors that decide the next means."""
        return {"running": self._running, "finished": self._finished, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state of as many environments."""
        for own, name in ((self._running, "running"), (self._finished, "finished"), (self._count, "count")):
            own.copy_(state[name])


@final
class StepMetrics:
    """What the environment said in the steps of an iteration; only references are kept until the end."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def record(self, result: StepResult) -> None:
        """Take in what one step said."""
        for tag, value in result.metrics.items():
            self._values.setdefault(tag, []).append(value)

    def drain(self) -> dict[str, Tensor]:
        """The mean of each tag over the steps that said it, scalar tensors; and begin again."""
        means = {tag: torch.stack(values).mean() for tag, values in self._values.items()}
        self._values.clear()
        return means


def read_back(metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """All scalars as numbers, in one transfer."""
    if not metrics:
        return {}
    values = torch.stack([value.to(torch.float32) for value in metrics.values()]).tolist()
    return dict(zip(metrics, values, strict=True))


def pool(said: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The scalars of all ranks as one: the mean over those that have a number; what counts NaN and infinity adds up."""
    pooled: dict[str, float] = {}
    for tag in dict.fromkeys(tag for scalars in said for tag in scalars):
        values = [scalars[tag] for scalars in said if not math.isnan(scalars.get(tag, math.nan))]
        is_count = tag.startswith("NonFinite/") and tag != _SKIPPED
        pooled[tag] = sum(values) / (1 if is_count else len(values)) if values else math.nan
    return pooled


def raise_if_non_finite(scalars: dict[str, float], iteration: int) -> None:
    """Move the counts of NaN and infinity out of the metrics, and stop if learning from them is impossible.

    A few gradient steps that the optimiser left out are survivable, and reported as `NonFinite/gradient`.
    """
    counts = {tag: value for tag, value in scalars.items() if tag.startswith("NonFinite/")}
    for tag, value in counts.items():
        if value == 0:
            del scalars[tag]
    skipped = counts.pop(_SKIPPED, 0.0)
    found = [f"{tag.removeprefix('NonFinite/')} ({value:.0f})" for tag, value in counts.items() if value]
    found += ["every gradient"] if skipped == 1.0 else []
    if found:
        raise NonFiniteError(
            f"iteration {iteration}",
            got=f"NaN or infinity in {', '.join(found)}",
            expected="finite numbers",
            fix="The last checkpoint is sound. Look at the environment's terms, or lower the learning rate.",
        )
