"""What a policy carries from step to step. State goes in and comes out; a network without memory carries nothing.

Axes: `T` time, `B` batch, `I` input, `L` layers, `H` hidden.
"""

from __future__ import annotations

from typing import Protocol, final

import torch
from torch import Tensor, nn

__all__ = ["Memory", "NoMemory", "State", "reset_state"]

State = tuple[Tensor, ...]
"""What is carried, `[L, B, H]` each; empty for a network without memory."""


class Memory(Protocol):
    """The part of a network that remembers. An `nn.Module`."""

    out_dim: int
    """Size of what it puts out."""
    state_names: tuple[str, ...]
    """One name per tensor of the state, as exported policies have them: `h`, `c`."""

    def initial_state(self, batch_size: int, device: torch.device | str) -> State:
        """The state in which nothing has been seen: zeros."""
        ...

    def __call__(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Go through a sequence.

        Args:
            x: `[T, B, I]`.
            state: Before the first step.
            reset: bool `[T, B]`: where an episode begins with a step, so that the state before it is forgotten; None
                for nowhere.

        Returns:
            The output `[T, B, out_dim]`, and the state after the last step.
        """
        ...


@final
class NoMemory(nn.Module):
    """Puts out what goes in, and remembers nothing.

    Args:
        in_dim: Size of the input.
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.out_dim = in_dim
        self.state_names = ()

    def initial_state(self, batch_size: int, device: torch.device | str) -> State:
        """The empty state."""
        return ()

    def forward(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """`x` itself, of any shape."""
        return x, state


def reset_state(state: State, done: Tensor) -> State:
    """The state `[L, B, H]`, forgotten where `done` bool `[B]` says that an episode ended."""
    return tuple(x.masked_fill(done[:, None], 0.0) for x in state)
