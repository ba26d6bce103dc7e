"""Ctrl-C and SIGTERM during a training: the first one ends it in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_in_order", "unwind_on_sigterm"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """While inside, SIGTERM ends the program as Ctrl-C does: what was opened is closed on the way out."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stop_in_order(request: Callable[[], None], *, say: bool = True) -> Iterator[list[int]]:
    """While inside, the first signal calls `request`, and the second one ends the program with its usual clean-up.

    Args:
        request: Asks for the end; called in the middle of anything, so it may only set a flag.
        say: Whether to say what happens then.

    Yields:
        The signals that came.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        request()
        if not say:
            return
        # Not print: this may have come in the middle of a print.
        name = signal.Signals(number).name
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{name}: saving after this iteration\n".encode())

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
