"""Whether a saved state is one that a task can go on from, found before anything of it is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from torch import Tensor

from fleetfoot.errors import ContractError

__all__ = ["require_same_shapes"]

_FLEXIBLE: Final = ("reward_sums", "event_timers", "command_timer")
"""Parts whose entries come and go with weights and intervals; a task begins anew with those it does not find."""


def require_same_shapes(state: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Compare a saved state with the state of the environment that is to take it over.

    Args:
        state: What was saved.
        own: The environment's own state.

    Raises:
        ContractError: A tensor is missing, foreign or of another shape; names the first.
    """
    saved = dict(_shapes(state, ()))
    for path, shape in _shapes(own, ()):
        if saved.get(path) != shape:
            raise _mismatch(path, got=saved.get(path), expected=shape)
        del saved[path]
    for path, shape in saved.items():
        raise _mismatch(path, got=shape, expected=None)
    for name in _FLEXIBLE:
        if not isinstance(state.get(name), Mapping):
            expected = "one entry for each name; is it from an earlier fleetfoot?"
            raise ContractError(f"load_state_dict: {name}", got=type(state.get(name)).__name__, expected=expected)


def _shapes(state: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Path to shape of every tensor that must fit; a generator's state is torch's own affair."""
    for name, value in state.items():
        if not path and name in (*_FLEXIBLE, "generator"):
            continue
        if isinstance(value, Mapping):
            yield from _shapes(value, (*path, name))
        elif isinstance(value, Tensor):
            yield (*path, name), tuple(value.shape)


def _mismatch(path: tuple[str, ...], *, got: tuple[int, ...] | None, expected: tuple[int, ...] | None) -> ContractError:
    return ContractError(
        f"load_state_dict: {'.'.join(path)}",
        got="nothing" if got is None else f"shape {got}",
        expected="nothing of that name" if expected is None else f"shape {expected}",
        fix="Begin new episodes, or make the environment with the config that the state was saved with.",
    )
