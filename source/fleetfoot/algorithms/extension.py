"""What PPO can be extended by. Each kind of extension is a Protocol of its own; PPO knows none of them by name.

Axes: `T` time, `N` environments, `L` steps of a sequence, `B` sequences of a mini-batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.distributions import Distribution
from fleetfoot.storage.rollout import Batch, RolloutBuffer

__all__ = ["NO_EXTENSIONS", "BatchTransform", "Extension", "Extensions", "ExtraLoss", "RewardBonus"]


class Extension(Protocol):
    """What every extension has."""

    @property
    def name(self) -> str:
        """What its state is saved under."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What decides its next number: tensors and plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        ...


class RewardBonus(Extension, Protocol):
    """Adds a reward of its own, as for curiosity."""

    def __call__(self, rollout: RolloutBuffer, last_obs: Observations) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The bonus for every step of a full rollout, `[T, N]`, and metrics, tag to scalar tensor.

        Args:
            rollout: What was collected.
            last_obs: Observations after its last step, `[N, …]` each.
        """
        ...

    def end_update(self, rollout: RolloutBuffer) -> None:
        """Learn what is learned once per rollout, as normalisers do."""
        ...


class BatchTransform(Extension, Protocol):
    """Makes another mini-batch of a mini-batch, as augmentation does."""

    def __call__(self, batch: Batch) -> Batch:
        """The batch to learn from instead."""
        ...


class ExtraLoss(Extension, Protocol):
    """Adds a loss to that of the policy."""

    tag: str
    """What the loss is logged as, below `Loss/`."""
    learning_rate: float
    """Step size for its own parameters."""

    @property
    def network(self) -> nn.Module | None:
        """What it trains besides the actor; None for nothing."""
        ...

    def __call__(self, batch: Batch, actor: Actor, distribution: Distribution) -> tuple[Tensor, float]:
        """The loss of a mini-batch, `[]`, and its weight.

        Args:
            batch: What is learned from.
            actor: The policy.
            distribution: What it says of the batch, `[L, B, A]`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Extensions:
    """All of a run, each kind in the order in which they are applied."""

    bonuses: tuple[RewardBonus, ...] = ()
    transforms: tuple[BatchTransform, ...] = ()
    losses: tuple[ExtraLoss, ...] = ()

    @property
    def by_name(self) -> dict[str, Extension]:
        """Each once, by its name: one object may be of several kinds."""
        return {extension.name: extension for extension in (*self.bonuses, *self.transforms, *self.losses)}


NO_EXTENSIONS = Extensions()
