import threading
import time

import pytest
import torch

from fleetfoot.core.threads import Pair


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
