"""Ctrl-C and SIGTERM during a training: the first one ends it in order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_in_order"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_in_order(request: Callable[[], None]) -> Iterator[list[int]]:
    """While inside, the first signal calls `request`, and the second one ends the program with its usual clean-up.

    Args:
        request: Asks for the end; called in the middle of anything, so it may only set a flag.

    Yields:
        The signals that came.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        request()
        # Not print: this may have come in the middle of a print.
        name = signal.Signals(number).name
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{name}: saving after this iteration\n".encode())

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
