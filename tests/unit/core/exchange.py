"""Run as two ranks by test_distributed.py: what each exchange gives, and what happens when a rank fails."""

import os
import sys
from pathlib import Path

import torch
from torch import nn

from fleetfoot.core.distributed import Ranks, join_ranks
from fleetfoot.core.threads import usable_cpus
from fleetfoot.errors import RankError
from fleetfoot.models.normalizer import EmpiricalNormalizer

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])


def rows(seed: int) -> torch.Tensor:
    """This rank's half of eight rows; offset far more than they vary."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(8, 3, generator=generator) * 0.1 + torch.tensor([0.0, 5.0, -20.0])).chunk(2)[rank]


def gradients(ranks: Ranks, bucket_bytes: int) -> list[torch.Tensor]:
    """Averages of 1 and 3, of 2 and nothing, of nothing and nothing, and of a double."""
    parameters = [nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(1))]
    parameters.append(nn.Parameter(torch.zeros(2, dtype=torch.float64)))
    parameters[0].grad = torch.full((2, 3), 1.0 + 2.0 * rank)
    parameters[1].grad = torch.full((4,), 2.0) if rank == 0 else None
    parameters[3].grad = torch.full((2,), 0.5 + rank, dtype=torch.float64)
    ranks.average_gradients(parameters, bucket_bytes)
    return [p.grad for p in parameters]


def normalizer(ranks: Ranks) -> dict[str, torch.Tensor]:
    seen = EmpiricalNormalizer(3)
    for seed in (1, 2, 3):
        seen.update(rows(seed).reshape(2, 2, 3), ranks)
    return seen.state_dict()


def linear(ranks: Ranks) -> dict[str, torch.Tensor]:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for x in (*module.parameters(), *module.buffers()):
        x.detach().fill_(5 + rank)
    ranks.broadcast([module])
    return module.state_dict()


def gathered(ranks: Ranks) -> list[dict]:
    return ranks.gather(
        {"rank": rank, "nested": {"x": torch.full((2 + rank,), float(rank))}, "state": (), "none": None}
    )


def threads_of_gloo() -> list[str]:
    """Its threads in this process; none where the system does not say."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


found, threads = {}, torch.get_num_threads()
try:
    with join_ranks("cpu") as joined:
        found |= {
            "first": joined.is_first,
            "size": joined.world_size,
            "launcher": joined.launcher,
            "devices": [joined.own_device(name) for name in ("cpu", "cuda")],
            "seeds": [joined.own_seed(seed) for seed in (1, 2)],
            "mean": joined.mean(torch.tensor([1.0 + rank, 10.0 * rank])),
            "nan": joined.mean(torch.tensor([torch.nan, 1.0]) if rank else torch.tensor([1.0, 1.0])),
            "std_mean": joined.std_mean(rows(4)),
            "var_mean": joined.var_mean(rows(4)),
            "large bucket": gradients(joined, 2**20),
            "small buckets": gradients(joined, 20),
            "normalizer": normalizer(joined),
            "broadcast": linear(joined),
            "shared": joined.share({"rank": rank}),
            "gathered": gathered(joined),
            "own": [joined.own(["zero", "one"]), joined.own(["only"]), joined.own(["zero", "one", "two"])],
            "threads": (torch.get_num_threads(), usable_cpus()),
            "gloo": threads_of_gloo(),
        }
        torch.optim.Adam([torch.zeros(1)])  # imports much, of which some would keep the group
        if rank == 1:
            raise ZeroDivisionError("on\npurpose")
        joined.share("what the other does not hear")
except (ZeroDivisionError, RankError) as error:
    found["error"] = (type(error).__name__, str(error), error.__notes__)
found["afterwards"] = (torch.distributed.is_initialized(), torch.get_num_threads() == threads, usable_cpus())
found["gloo afterwards"] = threads_of_gloo()
torch.save(found, folder / f"{rank}.pt")
