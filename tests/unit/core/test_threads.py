import subprocess
import sys
import threading
import time

import pytest
import torch

from fleetfoot.core.threads import Pair, share_cpus, usable_cpus


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_both_results_come_back_in_order(two_threads):
    assert Pair(torch.device("cpu"))(lambda: "first", lambda: "second") == ("first", "second")


def test_two_threads_work_at_the_same_time(two_threads):
    meeting = threading.Barrier(2, timeout=10)
    assert sorted(Pair(torch.device("cpu"))(meeting.wait, meeting.wait)) == [0, 1]


def test_one_thread_works_one_after_the_other(one_thread):
    seen: list[int] = []
    Pair(torch.device("cpu"))(lambda: seen.append(1), lambda: seen.append(2))
    assert seen == [1, 2]


def test_while_both_work_each_has_half_of_the_threads(two_threads):
    assert Pair(torch.device("cpu"))(torch.get_num_threads, torch.get_num_threads) == (1, 1)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("fails", [0, 1])
def test_an_error_of_either_is_raised_and_the_threads_are_given_back(two_threads, fails):
    works: list = [lambda: 1, lambda: 1]
    works[fails] = lambda: [][0]
    with pytest.raises(IndexError):
        Pair(torch.device("cpu"))(*works)
    assert torch.get_num_threads() == 2


def test_when_the_first_fails_the_second_is_over_before_the_error_is_raised(two_threads):
    finished: list[str] = []

    def slow() -> None:
        time.sleep(0.1)
        finished.append("second")

    with pytest.raises(ZeroDivisionError):
        Pair(torch.device("cpu"))(lambda: 1 // 0, slow)
    assert finished == ["second"]


AFFINITY = """
import os
from fleetfoot.core.threads import usable_cpus
if hasattr(os, "sched_setaffinity"):  # where a process can be bound to CPUs
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(usable_cpus() == 1)
else:
    print(usable_cpus() == os.cpu_count())
"""


def test_a_process_bound_to_one_cpu_uses_one():
    path = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", AFFINITY], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.fixture
def four_cpus(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)


@pytest.mark.parametrize(("processes", "share"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_processes_share_the_cpus(four_cpus, processes, share):
    with share_cpus(processes):
        assert usable_cpus() == share
    assert usable_cpus() == 4


@pytest.mark.parametrize(("said", "threads"), [(None, 2), ("1", 2), ("3", 1)])
def test_torch_takes_its_share_unless_the_user_said_how_many(four_cpus, one_thread, monkeypatch, said, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    with share_cpus(2):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 1


def test_one_process_leaves_torch_as_it_is(four_cpus, one_thread):
    with share_cpus(1):
        assert torch.get_num_threads() == 1
