"""Several processes that train together: the only module that knows a rank, or that there are others.

Every rank has environments of its own, as many as the others, and the same networks. What is learned from them is
averaged over all ranks, so `W` ranks of `N` environments compute what one of `W N` would, to rounding. What everybody
else sees of it is `ranks.Ranks`.

Axis: `W` ranks.
"""

from __future__ import annotations

import atexit
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final, TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fleetfoot.core.buckets import in_buckets
from fleetfoot.core.ranks import ALONE, BUCKET_BYTES, Ranks
from fleetfoot.core.seeding import derive_seed
from fleetfoot.core.threads import share_cpus
from fleetfoot.errors import ConfigError, OutputError, RankError

__all__ = ["ALONE", "Ranks", "join_ranks", "join_until_exit", "refuse_other_ranks"]

T = TypeVar("T")

_TIMEOUT: Final = timedelta(minutes=10)
"""How long an answer is waited for: longer than the first rank may take to write and film, or another to start."""
_REASON: Final = "fleetfoot/reason"


@dataclass(frozen=True, kw_only=True)
class _Launch:
    """What torchrun says of this process."""

    rank: int
    world_size: int
    local_rank: int
    """Number of this process on its machine."""
    local_world_size: int
    """How many there are on this machine."""

    @classmethod
    def read(cls) -> _Launch:
        """From the environment.

        Raises:
            ConfigError: It says nothing of ranks.
        """
        missing = [name for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR") if name not in os.environ]
        if missing:
            raise ConfigError(
                "--distributed",
                got=f"a process without {', '.join(missing)} in its environment",
                expected="one that torchrun has started",
                fix="Run: torchrun --standalone --nproc_per_node 2 scripts/train.py … --distributed",
            )
        return cls(
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
            local_world_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )

    def device(self, name: str) -> str:
        """See `Ranks.own_device`."""
        if name == "cuda":
            return f"cuda:{self.local_rank}"
        if name.startswith("cuda:"):
            fix = "Choose among the devices with CUDA_VISIBLE_DEVICES."
            expected = "cuda, of which each rank takes the one of its own number, or cpu"
            raise ConfigError("--device", got=f"{name}, with --distributed", expected=expected, fix=fix)
        return name


@final
class _Group:
    """One of several ranks."""

    def __init__(self, launch: _Launch, store: Any) -> None:  # torch's, of which it exports no type
        self._launch, self._store = launch, store
        self._is_open = True
        self.world_size = launch.world_size
        self.rank, self.local_rank, self.is_first = launch.rank, launch.local_rank, launch.rank == 0
        nodes = launch.world_size // launch.local_world_size
        where = "--standalone" if nodes == 1 else f"--nnodes {nodes} …"
        self.launcher = f"-m torch.distributed.run {where} --nproc_per_node {launch.local_world_size} "

    def own_device(self, name: str) -> str:
        return self._launch.device(name)

    def own_seed(self, seed: int) -> int:
        return seed if self.is_first else derive_seed(seed, "rank", self._launch.rank) % 2**31

    def mean(self, x: Tensor) -> Tensor:
        mean = x / self.world_size
        with self._exchange():
            dist.all_reduce(mean)
        return mean

    def std_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        var, mean = self.var_mean(x.flatten())
        total = x.numel() * self.world_size
        return (var * (total / (total - 1))).sqrt(), mean

    def var_mean(self, x: Tensor) -> tuple[Tensor, Tensor]:
        own = torch.stack(torch.var_mean(x, dim=0, correction=0))
        each = own.new_empty(self.world_size, *own.shape)
        with self._exchange():
            dist.all_gather(list(each.unbind()), own)
        # The law of total variance; every rank has as many rows.
        within, means = each.unbind(1)
        between, mean = torch.var_mean(means, dim=0, correction=0)
        return within.mean(0) + between, mean

    @torch.no_grad()
    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = BUCKET_BYTES) -> None:
        for bucket in in_buckets(parameters, bucket_bytes):
            flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
            flat = self.mean(flat)
            for p, gradient in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                p.grad = gradient.view_as(p)

    def broadcast(self, modules: Iterable[nn.Module]) -> None:
        with self._exchange():
            for module in modules:
                for x in (*module.parameters(), *module.buffers()):
                    dist.broadcast(x.detach(), src=0)

    def share(self, value: T) -> list[T]:
        said: list[T] = [value] * self.world_size
        with self._exchange():
            dist.all_gather_object(said, value)
        return said

    def gather(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        written = io.BytesIO()
        torch.save(state, written)
        said: list[bytes] | None = [b""] * self.world_size if self.is_first else None
        with self._exchange():
            dist.gather_object(written.getvalue(), said, dst=0)
        read = (torch.load(io.BytesIO(other), map_location="cpu", weights_only=True) for other in (said or [])[1:])
        return [state, *read] if self.is_first else []

    @contextmanager
    def first_done(self) -> Iterator[None]:
        failed: OutputError | None = None
        try:
            yield
        except OutputError as error:
            failed = error
        got = None if failed is None else (failed.where, failed.got, failed.expected, failed.fix)
        for said in self.share(got):
            if said is not None:
                where, why, expected, fix = said
                raise failed or OutputError(where, got=why, expected=expected, fix=fix)

    def own(self, gathered: Sequence[T]) -> T:
        return gathered[self._launch.rank if len(gathered) == self.world_size else 0]

    def leave(self, error: BaseException | None = None) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if error is not None:
            error.add_note(f"(rank {self.rank} of {self.world_size})")
        if error is not None and not isinstance(error, RankError):  # which only says that another has left
            text = " ".join(f"rank {self.rank} ended with {type(error).__name__}: {error}".split())
            with suppress(RuntimeError):
                self._store.set(_REASON, text)
        if dist.is_initialized():  # a script for rsl_rl may have seen to it
            dist.destroy_process_group()

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """What goes wrong in an exchange is another rank's silence.

        Raises:
            RankError: It says why, if that rank has.
        """
        try:
            yield
        except RuntimeError as error:
            reason = f"no answer ({str(error).splitlines()[0]})"
            with suppress(RuntimeError):
                if self._store.check([_REASON]):
                    reason = self._store.get(_REASON).decode()
            raise RankError("another rank", got=reason, expected=f"all {self.world_size} to the end") from error


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """The ranks that torchrun has started; they leave together, or at once where one fails.

    Exchanges go through gloo on CPUs and NCCL on CUDA devices. Each rank takes its share of the CPUs of its machine.

    Args:
        device: `cpu`, or `cuda` for the device of each rank's own number.

    Raises:
        ConfigError: This process was not started by torchrun, or there are fewer devices than ranks.
        RankError: Another rank does not come, fails, or does not answer.
    """
    launch = _Launch.read()
    if not dist.is_available():
        got, fix = "a torch that is built without torch.distributed", "Leave the flag away, or install another."
        raise ConfigError("--distributed", got=got, expected="one with it", fix=fix)
    if launch.world_size == 1:
        yield ALONE
        return
    _use_device(launch, launch.device(device))
    with share_cpus(launch.local_world_size):
        group = _open(launch, device)
        try:
            yield group
            group.share(None)  # the first to go would be taken for lost, and what the others still do be ended
        except BaseException as error:
            group.leave(error)
            raise
        finally:
            group.leave()


def join_until_exit(device: str) -> Ranks:
    """The same for a script that does not say when it is done: they leave when the interpreter ends, each by itself.

    Who fails has to `leave(error)`, or the others wait for an answer. After the last exchange nobody waits for anybody.

    Args:
        device: As of `join_ranks`.

    Raises:
        ConfigError: As of `join_ranks`; not where nothing is said of ranks at all.
        RankError: Another rank does not come.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    return _group_until_exit(device)


@cache
def _group_until_exit(device: str) -> _Group:
    """A process is a member once, however many runners a script makes in it."""
    launch = _Launch.read()
    _use_device(launch, launch.device(device))
    until_exit = ExitStack()
    until_exit.enter_context(share_cpus(launch.local_world_size))
    group = _open(launch, device)
    until_exit.callback(group.leave)
    atexit.register(until_exit.close)
    return group


def refuse_other_ranks() -> None:
    """Make sure that this is the only process of a training without `--distributed`.

    Raises:
        ConfigError: There are others, each of which would train by itself.
    """
    others = int(os.environ.get("WORLD_SIZE", "1"))
    if others > 1:
        got = f"{others} processes (WORLD_SIZE) without it"
        fix = "Add it, or start one process: python scripts/train.py …"
        raise ConfigError("--distributed", got=got, expected="the flag where several processes train together", fix=fix)


def _use_device(launch: _Launch, device: str) -> None:
    if not device.startswith("cuda"):
        return
    count = torch.cuda.device_count()
    if launch.local_rank >= count:
        got = f"{launch.local_world_size} processes on a machine where torch sees {count} CUDA devices"
        raise ConfigError("--device cuda", got=got, expected="a device for each process")
    torch.cuda.set_device(device)


def _open(launch: _Launch, device: str) -> _Group:
    # Functions of torch.distributed.nn keep the process group of the moment that they are imported, as a default. Every
    # optimiser imports them: were there a group by then, its threads would outlive it, and could abort the process.
    import torch.distributed.nn  # noqa: F401 (imported for what it does not keep then)
    from torch.distributed.rendezvous import rendezvous  # not there in a torch that is built without all this

    # What is plain data travels over gloo also where tensors are on CUDA devices: no device is waited for.
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    try:
        store, _, _ = next(rendezvous("env://", launch.rank, launch.world_size, timeout=_TIMEOUT))
        dist.init_process_group(backend, store=store, rank=launch.rank, world_size=launch.world_size, timeout=_TIMEOUT)
    except RuntimeError as error:
        got = f"rank {launch.rank} without the others ({str(error).splitlines()[0]})"
        raise RankError("--distributed", got=got, expected=f"{launch.world_size} processes that meet") from error
    return _Group(launch, store)
