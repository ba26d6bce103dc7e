"""What the runner asks of an algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.models.actor_critic import Actor

__all__ = ["Algorithm"]


class Algorithm(Protocol):
    """Acts in `N` environments, records what came of it, and learns from it.

    A rollout is `num_steps_per_env` pairs of `act` and `record`; then `update` learns from it and begins the next.
    """

    @property
    def actor(self) -> Actor:
        """The policy that is being trained."""
        ...

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """All there are, by their names in the state and below `agent.`: the actor is one of them."""
        ...

    @property
    def acts_alone(self) -> bool:
        """Whether all actions since the last update were the actor's: only then the rewards say what it is worth."""
        ...

    @property
    def own_state(self) -> tuple[str, ...]:
        """Names in the state of what each rank has of its own: random numbers, what is remembered of its episodes."""
        ...

    def act(self, obs: Observations) -> Tensor:
        """Actions `[N, A]` for observations `[N, …]`."""
        ...

    def record(self, result: StepResult) -> None:
        """What the environment answered to the last actions."""
        ...

    def update(self, last_obs: Observations) -> Mapping[str, Tensor]:
        """Learn from a full rollout.

        Args:
            last_obs: Observations after its last step, `[N, …]`.

        Returns:
            Log tag to scalar tensor, on the device. Tags below `NonFinite/` count what was NaN or infinite, and where.
        """
        ...

    def forget(self) -> None:
        """All that is remembered of the episodes is gone, as when they begin afresh."""
        ...

    def reseed(self, seed: int) -> None:
        """Begin new random numbers, for acting and for learning."""
        ...

    def train_mode(self) -> None:
        """Networks behave as in training."""
        ...

    def eval_mode(self) -> None:
        """Networks behave as in inference."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the next update: tensors and plain values, nested in dicts."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        ...
