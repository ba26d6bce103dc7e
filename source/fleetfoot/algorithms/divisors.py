"""What a number can be divided into: offered where something does not come out even."""

from __future__ import annotations

__all__ = ["divisors"]


def divisors(number: int, largest: int) -> list[int]:
    """The numbers up to `largest` that divide `number`."""
    return [n for n in range(1, min(number, largest) + 1) if number % n == 0]
