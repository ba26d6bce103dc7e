import math

import pytest
import torch

from fleetfoot.core.vec_env import StepResult
from fleetfoot.runners.metrics import EpisodeStatistics, StepMetrics, pool, read_back

CPU = torch.device("cpu")


def step(rewards, ended=(), cut=(), **metrics: float) -> StepResult:
    n = len(rewards)
    return StepResult(
        obs={},
        reward=torch.tensor(rewards),
        terminated=torch.tensor([i in ended for i in range(n)]),
        truncated=torch.tensor([i in cut for i in range(n)]),
        final_obs={},
        metrics={tag: torch.tensor(value) for tag, value in metrics.items()},
    )


def means(statistics: EpisodeStatistics) -> tuple[float, float]:
    scalars = read_back(statistics.metrics())
    return scalars["Train/mean_reward"], scalars["Train/mean_episode_length"]


def test_before_an_episode_has_ended_there_is_no_mean():
    statistics = EpisodeStatistics(2, CPU)
    statistics.record(step([1.0, 2.0]))
    assert all(math.isnan(mean) for mean in means(statistics))


def test_an_episode_counts_with_all_its_rewards_and_steps():
    statistics = EpisodeStatistics(2, CPU)
    statistics.record(step([1.0, 10.0]))
    statistics.record(step([2.0, 20.0]))
    statistics.record(step([3.0, 30.0], ended=(1,)))
    assert means(statistics) == (60.0, 3.0)


@pytest.mark.parametrize("how", ["ended", "cut"])
def test_falling_and_running_out_of_time_both_end_an_episode(how):
    statistics = EpisodeStatistics(1, CPU)
    statistics.record(step([5.0], **{how: (0,)}))
    assert means(statistics) == (5.0, 1.0)


def test_the_next_episode_begins_at_nothing():
    statistics = EpisodeStatistics(1, CPU)
    statistics.record(step([5.0], ended=(0,)))
    statistics.record(step([1.0]))
    statistics.record(step([2.0], ended=(0,)))
    assert means(statistics) == ((5.0 + 3.0) / 2, (1.0 + 2.0) / 2)


def test_of_more_episodes_than_the_window_the_last_count():
    statistics = EpisodeStatistics(1, CPU, window=3)
    for reward in (1.0, 2.0, 3.0, 4.0, 5.0):
        statistics.record(step([reward], ended=(0,)))
    assert means(statistics) == (4.0, 1.0)


def test_more_episodes_in_one_step_than_the_window_leave_that_many():
    statistics = EpisodeStatistics(5, CPU, window=2)
    statistics.record(step([1.0, 2.0, 4.0, 8.0, 16.0], ended=(0, 1, 2, 3, 4)))
    assert means(statistics) == (12.0, 1.0)


def test_a_full_window_is_left_oldest_first_by_several_at_once():
    statistics = EpisodeStatistics(3, CPU, window=4)
    statistics.record(step([1.0, 2.0, 3.0], ended=(0, 1, 2)))
    statistics.record(step([10.0, 20.0, 30.0], ended=(0, 2)))  # the second goes on: the window has 1, 2, 3, 10, then 30
    assert means(statistics)[0] == (2.0 + 3.0 + 10.0 + 30.0) / 4
    statistics.record(step([0.0, 100.0, 0.0], ended=(1,)))  # it ends with 20 + 100, and 2 drops out
    assert means(statistics) == ((3.0 + 10.0 + 30.0 + 120.0) / 4, (1.0 + 1.0 + 1.0 + 2.0) / 4)


def test_it_agrees_with_a_list_over_a_long_time(generator):
    statistics, finished, running = EpisodeStatistics(7, CPU, window=10), [], torch.zeros(7)
    for _ in range(60):
        rewards = torch.randint(-5, 6, (7,), generator=generator).float()
        ended = (torch.rand(7, generator=generator) < 0.2).nonzero()[:, 0].tolist()
        statistics.record(step(rewards.tolist(), ended=ended))
        running += rewards
        finished += [running[i].item() for i in ended]
        running[ended] = 0.0
        if finished:
            assert means(statistics)[0] == pytest.approx(sum(finished[-10:]) / len(finished[-10:]), abs=1e-5)


def test_a_state_brings_the_means_back():
    statistics, other = EpisodeStatistics(2, CPU), EpisodeStatistics(2, CPU)
    statistics.record(step([1.0, 2.0], ended=(0,)))
    other.load_state_dict(statistics.state_dict())
    for each in (statistics, other):
        each.record(step([1.0, 2.0], ended=(1,)))
    assert means(other) == means(statistics) == ((1.0 + 4.0) / 2, 1.5)


def test_a_metric_is_the_mean_over_the_steps_that_said_it():
    metrics = StepMetrics()
    metrics.record(step([0.0], speed=1.0))
    metrics.record(step([0.0], speed=2.0, falls=7.0))
    metrics.record(step([0.0]))
    assert read_back(metrics.drain()) == {"speed": 1.5, "falls": 7.0}


def test_after_draining_it_begins_again():
    metrics = StepMetrics()
    metrics.record(step([0.0], speed=1.0))
    metrics.drain()
    metrics.record(step([0.0], speed=5.0))
    assert read_back(metrics.drain()) == {"speed": 5.0}
    assert metrics.drain() == {}


def test_scalars_of_any_type_are_read_as_numbers_in_their_order():
    scalars = {"b": torch.tensor(2, dtype=torch.int64), "a": torch.tensor(0.5), "c": torch.tensor(True)}
    assert list(read_back(scalars).items()) == [("b", 2.0), ("a", 0.5), ("c", 1.0)]


def test_nothing_is_read_from_nothing():
    assert read_back({}) == {}


def test_a_scalar_is_the_mean_over_those_that_have_it():
    said = [{"a": 1.0, "b": math.nan, "c": math.nan}, {"a": 3.0, "b": 2.0, "c": math.nan, "d": 7.0}]
    pooled = pool(said)
    assert list(pooled) == ["a", "b", "c", "d"]
    assert (pooled["a"], pooled["b"], pooled["d"]) == (2.0, 2.0, 7.0)
    assert math.isnan(pooled["c"])


def test_counts_of_nan_add_up_and_the_share_of_steps_does_not():
    said = [{"NonFinite/reward": 2.0, "NonFinite/gradient": 0.5}, {"NonFinite/reward": 3.0, "NonFinite/gradient": 0.5}]
    assert pool(said) == {"NonFinite/reward": 5.0, "NonFinite/gradient": 0.5}


def test_infinity_stays():
    assert pool([{"a": math.inf}, {"a": 1.0}]) == {"a": math.inf}


def test_one_says_what_it_says():
    said = {"a": 0.1, "NonFinite/reward": 0.0}
    assert pool([said]) == said
