"""One random generator per purpose, all derived from one seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["derive_seed", "make_generator", "torch_seeded"]


def derive_seed(seed: int, purpose: str, rank: int = 0) -> int:
    """A seed of 63 bits for one purpose; those of other purposes, ranks and seeds are unrelated to it."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{rank}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def make_generator(seed: int, purpose: str, device: torch.device | str = "cpu", rank: int = 0) -> torch.Generator:
    """A generator of its own for one purpose, so that drawing for one never shifts what another draws."""
    generator = torch.Generator(device=device)
    generator.manual_seed(derive_seed(seed, purpose, rank))
    return generator


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Torch initialises layers from its global generator: borrow it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
