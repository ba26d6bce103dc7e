"""What ranks exchange: between two real processes, and by the one that is alone."""

import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fleetfoot.core.distributed import ALONE, join_ranks, refuse_other_ranks
from fleetfoot.core.threads import usable_cpus
from fleetfoot.errors import ConfigError
from fleetfoot.models.normalizer import EmpiricalNormalizer

EXCHANGE = Path(__file__).with_name("exchange.py")


@pytest.fixture(scope="module")
def both(as_two_ranks):
    """What each of two ranks found."""
    return as_two_ranks(EXCHANGE)


def all_rows(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, 3, generator=generator) * 0.1 + torch.tensor([0.0, 5.0, -20.0])


# --- two processes


@pytest.mark.slow
def test_each_knows_what_it_is(both):
    assert [found["first"] for found in both] == [True, False]
    assert [found["size"] for found in both] == [2, 2]
    assert {found["launcher"] for found in both} == {"-m torch.distributed.run --standalone --nproc_per_node 2 "}
    assert [found["devices"] for found in both] == [["cpu", "cuda:0"], ["cpu", "cuda:1"]]


@pytest.mark.slow
def test_the_first_has_the_seed_of_the_run_and_the_others_have_their_own(both):
    first, second = (found["seeds"] for found in both)
    assert first == [1, 2]
    assert len({*first, *second}) == 4
    assert all(0 <= seed < 2**31 for seed in second)


@pytest.mark.slow
def test_means(both):
    for found in both:
        assert found["mean"].tolist() == [1.5, 5.0]
        assert found["nan"].isnan().tolist() == [True, False]


@pytest.mark.slow
def test_moments_are_those_of_all_rows_together(both):
    std, mean = torch.std_mean(all_rows(4).double())
    var, means = torch.var_mean(all_rows(4).double(), dim=0, correction=0)
    for found in both:
        expected = (std, mean, var, means)
        for x, y in zip((*found["std_mean"], *found["var_mean"]), expected, strict=True):
            torch.testing.assert_close(x.double(), y, rtol=1e-6, atol=1e-6)
    assert all(torch.equal(x, y) for x, y in zip(both[0]["var_mean"], both[1]["var_mean"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("buckets", ["large bucket", "small buckets"])
def test_gradients_are_averaged_and_a_missing_one_is_zero(both, buckets):
    for found in both:
        first, second, third, double = found[buckets]
        assert torch.equal(first, torch.full((2, 3), 2.0))
        assert torch.equal(second, torch.full((4,), 1.0))
        assert torch.equal(third, torch.zeros(1))
        assert torch.equal(double, torch.ones(2, dtype=torch.float64))


@pytest.mark.slow
def test_a_normaliser_sees_the_rows_of_both(both):
    alone = EmpiricalNormalizer(3)
    for seed in (1, 2, 3):
        alone.update(all_rows(seed))
    for found in both:
        assert found["normalizer"]["count"].item() == 24
        for name in ("mean", "var"):
            torch.testing.assert_close(found["normalizer"][name], alone.state_dict()[name], rtol=1e-6, atol=1e-6)
    assert torch.equal(both[0]["normalizer"]["var"], both[1]["normalizer"]["var"])


@pytest.mark.slow
def test_parameters_and_buffers_are_those_of_the_first(both):
    for found in both:
        assert {float(x.float().unique()) for x in found["broadcast"].values()} == {5.0}


@pytest.mark.slow
def test_what_is_said_is_heard_by_both_and_gathered_by_the_first(both):
    assert [found["shared"] for found in both] == [[{"rank": 0}, {"rank": 1}]] * 2
    (zero, one), nothing = (found["gathered"] for found in both)
    assert nothing == []
    assert (zero["rank"], one["rank"], one["state"], one["none"]) == (0, 1, (), None)
    assert [state["nested"]["x"].tolist() for state in (zero, one)] == [[0.0, 0.0], [1.0, 1.0, 1.0]]


@pytest.mark.slow
def test_ones_own_part_is_the_firsts_if_others_gathered_it(both):
    assert [found["own"] for found in both] == [["zero", "only", "zero"], ["one", "only", "zero"]]


@pytest.mark.slow
def test_the_cpus_are_shared_while_both_are_there(both):
    share = max(1, usable_cpus() // 2)
    given = os.environ.get("OMP_NUM_THREADS", "1")
    for found in both:
        assert found["threads"] == (share if given == "1" else int(given), share)
        assert found["afterwards"] == (False, True, usable_cpus())


@pytest.mark.slow
def test_no_thread_of_the_group_outlives_it(both):
    """One that is still letting go of a tensor when the interpreter ends would abort the process."""
    for found in both:
        assert bool(found["gloo"]) is sys.platform.startswith("linux")
        assert found["gloo afterwards"] == []


@pytest.mark.slow
def test_a_rank_that_fails_is_the_reason_why_the_other_ends(both):
    survivor, failed = (found["error"] for found in both)
    assert failed == ("ZeroDivisionError", "on\npurpose", ["(rank 1 of 2)"])
    reason = "another rank: got rank 1 ended with ZeroDivisionError: on purpose; expected all 2 to the end."
    assert survivor == ("RankError", reason, ["(rank 0 of 2)"])


# --- one


def test_alone_everything_is_what_it_was(generator):
    x = torch.randn(6, 2, generator=generator)
    parameter = nn.Parameter(x.clone())
    ALONE.average_gradients([parameter])
    assert parameter.grad is None
    assert ALONE.mean(x) is x
    assert all(torch.equal(*pair) for pair in zip(ALONE.std_mean(x), torch.std_mean(x), strict=True))
    assert torch.equal(ALONE.var_mean(x)[0], x.var(0, correction=0))
    assert ALONE.share(3) == [3]
    assert ALONE.own(ALONE.gather({"a": 1})) == {"a": 1}
    assert (ALONE.own_seed(7), ALONE.own_device("cuda"), ALONE.launcher) == (7, "cuda", "")


# --- how they come to be


TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}


@pytest.fixture
def started_by(monkeypatch):
    """`started_by(RANK="0", …)` sets what torchrun would, and takes away what it has set."""

    def start(**variables: str) -> None:
        for name in TORCHRUN:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return start


def test_a_process_that_nobody_joined_cannot_join(started_by):
    started_by(RANK="0", LOCAL_RANK="0")
    with pytest.raises(ConfigError) as caught, join_ranks("cpu"):
        pass
    assert str(caught.value) == (
        "--distributed: got a process without WORLD_SIZE, MASTER_ADDR in its environment; expected one that torchrun "
        "has started. Run: torchrun --standalone --nproc_per_node 2 scripts/train.py … --distributed"
    )


def test_one_process_of_torchrun_is_alone(started_by):
    started_by(**{**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"})
    with join_ranks("cpu") as ranks:
        assert ranks is ALONE
    assert not torch.distributed.is_initialized()


def test_a_device_of_one_number_is_not_for_several(started_by):
    started_by(**TORCHRUN)
    with pytest.raises(ConfigError, match="--device: got cuda:1, with --distributed; expected cuda, of which"):
        join_ranks("cuda:1").__enter__()


def test_more_processes_than_devices_are_named(started_by, monkeypatch):
    started_by(**TORCHRUN)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError) as caught:
        join_ranks("cuda").__enter__()
    assert str(caught.value) == (
        "--device cuda: got 2 processes on a machine where torch sees 1 CUDA devices; "
        "expected a device for each process."
    )


def test_a_torch_without_all_this_is_named(started_by, monkeypatch):
    started_by(**TORCHRUN)
    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"--distributed: got a torch that is built without torch\.distributed"):
        join_ranks("cpu").__enter__()


def test_several_processes_without_the_flag_are_refused(started_by):
    started_by(**TORCHRUN)
    with pytest.raises(ConfigError, match=r"--distributed: got 2 processes \(WORLD_SIZE\) without it"):
        refuse_other_ranks()


@pytest.mark.parametrize("variables", [{}, {"WORLD_SIZE": "1"}])
def test_one_process_needs_no_flag(started_by, variables):
    started_by(**variables)
    refuse_other_ranks()
