"""Who works on which CPUs: two independent pieces of tensor work at once, several processes on one machine.

The networks here are small: split over two cores, one matrix product waits longer than it computes. Two products side
by side, one core each, wait for nothing. PyTorch releases the interpreter lock while it computes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, final

import torch

__all__ = ["Pair", "share_cpus", "usable_cpus"]

A = TypeVar("A")
B = TypeVar("B")

_processes: ContextVar[int] = ContextVar("processes", default=1)
"""Processes that share the CPUs of this one."""


@final
class Pair:
    """Runs two functions and returns both results; on a CPU with two threads or more at the same time.

    On an accelerator they run one after the other: they only enqueue work there.

    Args:
        device: Where the tensors of the work live.
        at_once: False if the two may not run at the same time, as where both write to the same tensors.
    """

    def __init__(self, device: torch.device, *, at_once: bool = True) -> None:
        is_parallel = at_once and device.type == "cpu" and torch.get_num_threads() > 1
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(1, "fleetfoot", initializer=self._limit) if is_parallel else None

    def __call__(self, first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
        """The results of both; an error of either is raised."""
        if self._pool is None:
            return first(), second()
        future = self._pool.submit(second)
        torch.set_num_threads(max(1, self._threads // 2))
        try:
            result = first()
        finally:
            torch.set_num_threads(self._threads)
            wait((future,))  # if the first failed, the second does not go on behind the caller's back
        return result, future.result()

    def _limit(self) -> None:
        torch.set_num_threads(max(1, self._threads // 2))


def usable_cpus() -> int:
    """How many CPUs this process may use: in a container, or beside other processes, often fewer than there are."""
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cpus // _processes.get())


@contextmanager
def share_cpus(processes: int) -> Iterator[None]:
    """While inside, the simulator's threads and torch's keep to this process's share of the CPUs.

    torchrun sets OMP_NUM_THREADS to 1, on however many CPUs; another number there is the user's, and stays torch's.

    Args:
        processes: How many there are, this one included.
    """
    token, threads = _processes.set(processes), torch.get_num_threads()
    if processes > 1 and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(usable_cpus())
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _processes.reset(token)
