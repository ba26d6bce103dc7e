"""What PPO can be extended by: one small Protocol for what every extension has, and one for each thing it can do.

PPO knows none of them by name. An extension that does several things is one object, listed under each of them.

Axes: `T` time, `N` environments, `L` steps of a sequence, `B` sequences of a mini-batch, `A` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.distributions import Distribution
from fleetfoot.storage.rollout import Batch, RolloutBuffer

__all__ = ["NO_EXTENSIONS", "BatchTransform", "Extension", "Extensions", "ExtraLoss", "RewardBonus"]


class Extension(Protocol):
    """What every extension has."""

    @property
    def name(self) -> str:
        """What its state is saved under, and its loss logged below `Loss/`."""
        ...

    def forget(self) -> None:
        """All that is remembered of the episodes is gone, as when they begin afresh."""
        ...

    def reseed(self, seed: int) -> None:
        """Begin new random numbers, if there are any."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What decides its next number: tensors and plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        ...


class RewardBonus(Extension, Protocol):
    """Adds a reward of its own, as for curiosity."""

    def reward(self, rollout: RolloutBuffer, last_obs: Observations) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The bonus for every step of a full rollout, `[T, N]`, and metrics, tag to scalar tensor.

        Args:
            rollout: What was collected, with the rewards that the environment gave.
            last_obs: Observations after its last step, `[N, …]` each.
        """
        ...

    def end_update(self, rollout: RolloutBuffer) -> None:
        """Learn what is learned once per rollout, as normalisers do."""
        ...


class BatchTransform(Extension, Protocol):
    """Makes another mini-batch of a mini-batch, as augmentation does."""

    def prepare(self, rollout: RolloutBuffer, sequences: Batch) -> None:
        """See a full rollout, and all its sequences, before anything is learned from it."""
        ...

    def transform(self, batch: Batch) -> Batch:
        """The batch to learn from instead: first one sequence for each of the batch, in order; what is added follows.

        Entropy, divergence and what the learning rate is adapted to are those of the first ones.
        """
        ...


class ExtraLoss(Extension, Protocol):
    """Adds a loss to that of the policy."""

    @property
    def weight(self) -> float:
        """What the loss is multiplied by."""
        ...

    @property
    def trains(self) -> tuple[nn.Module, float] | None:
        """What it trains besides the actor, and the step size for it; None for nothing."""
        ...

    def loss(self, collected: Batch, batch: Batch, distribution: Distribution) -> Tensor:
        """The loss of a mini-batch, `[]`.

        Args:
            collected: The mini-batch as it was collected.
            batch: What the transforms made of it; the policy learns from this.
            distribution: What the policy says of that, `[L, B, A]`.
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
        """Each once, by its name."""
        return {extension.name: extension for extension in (*self.bonuses, *self.transforms, *self.losses)}


NO_EXTENSIONS = Extensions()
