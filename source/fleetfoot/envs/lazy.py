"""Attributes computed when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, final

__all__ = ["lazy"]

T = TypeVar("T")


@final
class lazy(Generic[T]):  # noqa: N801 - reads as a decorator
    """As `functools.cached_property`, without its lock: in Python 3.11 that costs more than many a tensor operation."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        # From now on the attribute is found in the instance, and this is not called again.
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
