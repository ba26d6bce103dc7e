"""What the critic says of a rollout. Axes: `T` time, `N` environments, `L` steps of a sequence."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fleetfoot.core.vec_env import Observations
from fleetfoot.models.actor_critic import Critic
from fleetfoot.models.memory import State, reset_state
from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["RolloutValues", "evaluate"]


class RolloutValues(NamedTuple):
    """Values of a rollout, and what the critic remembered on the way.

    Where there are several critics, values have an axis for them, last.
    """

    values: Tensor
    """Of each observation, `[T, N]`."""
    last_values: Tensor
    """Of the observations after the rollout, `[N]`."""
    final_values: Tensor
    """Of the observation before a reset, `[T, N]`; meaningful where an episode ended."""
    state_before: State
    """Memory before each sequence, `[T / L, layers, N, H]` each."""
    state_after: State
    """Memory after the rollout, `[layers, N, H]` each."""


def evaluate(critic: Critic, rollout: RolloutBuffer, last_obs: Observations, state: State) -> RolloutValues:
    """Values of every observation of a rollout.

    Args:
        critic: The value function.
        rollout: What was collected.
        last_obs: Observations after its last step, `[N, …]` each.
        state: Memory before its first step, `[layers, N, H]` each; empty for a critic without memory.
    """
    if state:
        return _evaluate_in_order(critic, rollout, last_obs, state)
    values, _ = critic(rollout.obs)
    last_values, _ = critic.step(last_obs, state)
    final_values, _ = critic(rollout.final_obs)
    return RolloutValues(values, last_values, final_values, state, state)


def _evaluate_in_order(critic: Critic, rollout: RolloutBuffer, last_obs: Observations, state: State) -> RolloutValues:
    """Step by step: what is remembered at the end of an episode is needed for its final observation."""
    values, final_values, before = [], [], []
    for t, done in enumerate(rollout.done):
        if t % rollout.sequence_length == 0:
            before.append(state)
        value, state = critic.step({group: x[t] for group, x in rollout.obs.items()}, state)
        final_value, _ = critic.step({group: x[t] for group, x in rollout.final_obs.items()}, state)
        values.append(value)
        final_values.append(final_value)
        state = reset_state(state, done)
    last_values, _ = critic.step(last_obs, state)
    stacked = tuple(torch.stack(x) for x in zip(*before, strict=True))
    return RolloutValues(torch.stack(values), last_values, torch.stack(final_values), stacked, state)
