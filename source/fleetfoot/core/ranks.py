"""All processes of a training, as one of them sees them; `distributed` is where they come from.

A process that trains by itself is `ALONE`: its methods give back what they got, and cost nothing.

What takes part in an exchange has to be called on every rank, in the same order.

Axis: `W` ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TypeVar, final

import torch
from torch import Tensor, nn

__all__ = ["ALONE", "BUCKET_BYTES", "Ranks"]

T = TypeVar("T")

BUCKET_BYTES: Final = 25 * 2**20
"""Gradients travel in pieces of about this size: few of them, and none that needs much memory."""


class Ranks(Protocol):
    """All processes of a training, as one of them sees them."""

    @property
    def world_size(self) -> int:
        """How many there are, `W`."""
        ...

    @property
    def rank(self) -> int:
        """Which one this is, below `W`: for those who have to say it; who decides by it takes `is_first`."""
        ...

    @property
    def local_rank(self) -> int:
        """Which one on its machine."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, speaks and films."""
        ...

    @property
    def launcher(self) -> str:
        """What stands before a script to start as many ranks, `-m torch.distributed.run … `; nothing for one."""
        ...

    def own_device(self, name: str) -> str:
        """The device of this rank where `name` was asked for.

        Raises:
            ConfigError: The name is that of one device, which several ranks cannot all have.
        """
        ...

    def own_seed(self, seed: int) -> int:
        """What is random on this rank alone follows from it; the first rank's is `seed` itself."""
        ...

    def mean(self, x: Tensor) -> Tensor:
        """The mean over all ranks, as `x`. Exchanges."""
        ...

    def std_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Unbiased standard deviation and mean of all numbers in the `x` of all ranks, `[]` each. Exchanges.

        Args:
            x: Of the same shape on every rank.
        """
        ...

    def var_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Biased variance and mean over the rows of the `x` of all ranks, `[…]` each. Exchanges.

        Args:
            x: `[B, …]`, of the same shape on every rank.
        """
        ...

    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = BUCKET_BYTES) -> None:
        """Replace each gradient by its mean over all ranks; where there is none it counts as zero. Exchanges.

        Args:
            parameters: The same on every rank, in the same order.
            bucket_bytes: They travel in pieces of about this size [byte].
        """
        ...

    def broadcast(self, modules: Iterable[nn.Module]) -> None:
        """Give every rank the parameters and buffers of the first. Exchanges."""
        ...

    def share(self, value: T) -> list[T]:
        """What every rank says, in their order: plain values that are pickled. Exchanges."""
        ...

    def gather(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """What every rank says, in their order, on the first; nothing on the others. Exchanges.

        Args:
            state: Tensors and plain values, nested in dicts; those of other ranks arrive on the CPU.
        """
        ...

    def first_done(self) -> AbstractContextManager[None]:
        """Nobody goes on before all have been here, as to a file that the first writes. Exchanges at the end.

        Raises:
            OutputError: One of them could not write what it wanted to: on all of them.
        """
        ...

    def own(self, gathered: Sequence[T]) -> T:
        """This rank's part of what was gathered; the first rank's, if it was gathered from another number of ranks."""
        ...

    def leave(self, error: BaseException | None = None) -> None:
        """Take part no longer, and let the others know why: they would wait. Does nothing the second time."""
        ...


@final
class _Alone:
    """A process that trains by itself."""

    world_size = 1
    rank = local_rank = 0
    is_first = True
    launcher = ""

    def own_device(self, name: str) -> str:
        return name

    def own_seed(self, seed: int) -> int:
        return seed

    def mean(self, x: Tensor) -> Tensor:
        return x

    def std_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.std_mean(x)

    def var_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.var_mean(x, dim=0, correction=0)

    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = BUCKET_BYTES) -> None:
        pass

    def broadcast(self, modules: Iterable[nn.Module]) -> None:
        pass

    def share(self, value: T) -> list[T]:
        return [value]

    def gather(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        return [state]

    def first_done(self) -> AbstractContextManager[None]:
        return nullcontext()

    def own(self, gathered: Sequence[T]) -> T:
        return gathered[0]

    def leave(self, error: BaseException | None = None) -> None:
        pass


ALONE: Final[Ranks] = _Alone()
