"""Tensors in pieces that are worth a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

__all__ = ["in_buckets"]


def in_buckets(parameters: Sequence[Tensor], size: int) -> Iterator[list[Tensor]]:
    """The parameters in their order, in groups of one type and of `size` bytes, but for single ones that are larger."""
    bucket: list[Tensor] = []
    filled = 0
    for p in parameters:
        if bucket and (filled + p.nbytes > size or p.dtype != bucket[0].dtype):
            yield bucket
            bucket, filled = [], 0
        bucket.append(p)
        filled += p.nbytes
    if bucket:
        yield bucket
