"""Several processes that train together: the only module that knows a rank, or that there are others.

Every rank has environments of its own, as many as the others, and the same networks. What is learned from them is
averaged over all ranks, so `W` ranks of `N` environments compute what one of `W N` would, to rounding. A process that
trains by itself is `ALONE`: its methods give back what they got, and cost nothing.

What takes part in an exchange has to be called on every rank, in the same order.

Axis: `W` ranks.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fleetfoot.core.buckets import in_buckets
from fleetfoot.core.seeding import derive_seed
from fleetfoot.core.threads import share_cpus
from fleetfoot.errors import ConfigError, RankError

__all__ = ["ALONE", "Ranks", "join_ranks", "refuse_other_ranks"]

T = TypeVar("T")

_TIMEOUT: Final = timedelta(minutes=10)
"""How long an answer is waited for: longer than the first rank may take to write and film, or another to start."""
_BUCKET_BYTES: Final = 25 * 2**20
"""Gradients travel in pieces of about this size: few of them, and none that needs much memory."""
_REASON: Final = "fleetfoot/reason"


class Ranks(Protocol):
    """All processes of a training, as one of them sees them."""

    @property
    def world_size(self) -> int:
        """How many there are, `W`."""
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

    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = _BUCKET_BYTES) -> None:
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

    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = _BUCKET_BYTES) -> None:
        pass

    def broadcast(self, modules: Iterable[nn.Module]) -> None:
        pass

    def share(self, value: T) -> list[T]:
        return [value]

    def gather(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        return [state]

    def own(self, gathered: Sequence[T]) -> T:
        return gathered[0]

    def leave(self, error: BaseException | None = None) -> None:
        pass


ALONE: Final[Ranks] = _Alone()


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
        self.is_first = launch.rank == 0
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
    def average_gradients(self, parameters: Sequence[Tensor], bucket_bytes: int = _BUCKET_BYTES) -> None:
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

    def own(self, gathered: Sequence[T]) -> T:
        return gathered[self._launch.rank if len(gathered) == self.world_size else 0]

    def leave(self, error: BaseException | None = None) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if error is not None and not isinstance(error, RankError):  # which only says that another has left
            text = " ".join(f"rank {self._launch.rank} ended with {type(error).__name__}: {error}".split())
            with suppress(RuntimeError):
                self._store.set(_REASON, text)
        dist.destroy_process_group()

    def sign(self, error: BaseException) -> None:
        """Write on an error which rank it is from."""
        error.add_note(f"(rank {self._launch.rank} of {self.world_size})")

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
            group.sign(error)
            group.leave(error)
            raise
        finally:
            group.leave()


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
