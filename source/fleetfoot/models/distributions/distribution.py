"""What every action distribution can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

__all__ = ["Distribution", "mapped"]

D = TypeVar("D", bound="Distribution")


class Distribution(Protocol):
    """Independent distributions, one per action: a named tuple of parameters, `[…, A]` each.

    So one is rebuilt from its parameters, whichever it is (`mapped`).
    """

    def __init__(self, *parameters: Tensor) -> None: ...

    def __iter__(self) -> Iterator[Tensor]:
        """The parameters, `[…, A]` each."""
        ...

    @property
    def mean(self) -> Tensor:
        """Mean of the actions, `[…, A]`."""
        ...

    @property
    def std(self) -> Tensor:
        """Standard deviation of the actions, in their units, `[…, A]`."""
        ...

    def mode(self) -> Tensor:
        """The action of a policy that does not explore, `[…, A]`."""
        ...

    def sample(self, generator: torch.Generator) -> Tensor:
        """Random actions, `[…, A]`."""
        ...

    def log_prob(self, actions: Tensor) -> Tensor:
        """Logarithm of the density at actions `[…, A]`, summed over them, `[…]`."""
        ...

    def entropy(self) -> Tensor:
        """Differential entropy, summed over actions, `[…]` [nat]."""
        ...

    def kl(self, new: Self) -> Tensor:
        """`KL(self || new)`, summed over actions, `[…]` [nat]."""
        ...

    def mirrored(self, signed: Callable[[Tensor], Tensor], unsigned: Callable[[Tensor], Tensor]) -> Self:
        """The distribution of mirrored actions.

        Args:
            signed: Maps what turns its sign in the mirror, as actions do: `x'[i] = sign[i] x[index[i]]`.
            unsigned: Maps magnitudes, which only change places: `x'[i] = x[index[i]]`.
        """
        ...


def mapped(distribution: D, fn: Callable[[Tensor], Tensor]) -> D:
    """The distribution with each of its parameters put through a function."""
    return type(distribution)(*map(fn, distribution))
