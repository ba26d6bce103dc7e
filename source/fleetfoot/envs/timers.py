"""Things that happen to each environment after a random time of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor

__all__ = ["IntervalTimer"]


@final
class IntervalTimer:
    """One alarm per environment. Asking whether any is due costs a comparison of two integers in most steps.

    Args:
        num_envs: Number of environments `N`.
        interval_s: Shortest and longest time between two alarms [s].
        step_dt: Duration of a control step [s].
        device: Where the alarms live.
    """

    def __init__(
        self, num_envs: int, interval_s: tuple[float, float], step_dt: float, device: torch.device | str
    ) -> None:
        self._shortest = max(1, round(interval_s[0] / step_dt))
        self._longest = max(self._shortest, round(interval_s[1] / step_dt))
        self._due_at = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self._earliest = 0

    def due(self, now: int) -> Tensor | None:
        """Indices `[n]` of the environments whose alarm is at or before step `now`; None if there are none."""
        if now < self._earliest:
            return None
        return (self._due_at <= now).nonzero().squeeze(1)

    def restart(self, ids: Tensor, now: int, generator: torch.Generator) -> None:
        """Set the alarms of the environments `ids` `[n]` to a random time from step `now` on."""
        delay = torch.randint(
            self._shortest, self._longest + 1, ids.shape, generator=generator, device=self._due_at.device
        )
        self._due_at.index_copy_(0, ids, delay.add_(now))
        self._earliest = int(self._due_at.min())

    def state_dict(self) -> dict[str, Any]:
        """The alarms, and the interval [steps] that they were drawn from."""
        return {"due_at": self._due_at.clone(), "interval": [self._shortest, self._longest]}

    def goes_on_from(self, state: Mapping[str, Any]) -> bool:
        """Whether the alarms of that state could be this timer's own: they were drawn from the same interval."""
        return state.get("interval") == [self._shortest, self._longest]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over alarms."""
        self._due_at.copy_(state["due_at"])
        self._earliest = int(self._due_at.min())
