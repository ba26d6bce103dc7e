"""Reward sums on a state that is just a tensor `[N]`."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fleetfoot.envs.rewards import RewardSum
from fleetfoot.envs.task import ActionMap, RewardTerm, Task


def double(state: Tensor) -> Tensor:
    return 2.0 * state


def one(state: Tensor) -> Tensor:
    return torch.ones_like(state)


def never(state: Tensor) -> Tensor:
    raise AssertionError("a term of weight zero was evaluated")


TASK: Task[Tensor] = Task(
    name="line",
    step_dt=0.5,
    decimation=1,
    episode_length_s=10.0,
    view=lambda frame: frame.actions[:, 0],
    actions=ActionMap(names=("x",), offset=(0.0,), scale=(1.0,)),
    observations={},
    rewards=(
        RewardTerm(name="double", fn=double, weight=3.0),
        RewardTerm(name="never", fn=never, weight=0.0),
        RewardTerm(name="one", fn=one, weight=-1.0),
    ),
    terminations=(),
    initial_state=lambda n, generator: (torch.zeros(n, 1), torch.zeros(n, 1)),
    metrics={"Metrics/double": double},
)
CPU = torch.device("cpu")


def test_reward_is_the_weighted_sum_times_the_step() -> None:
    metrics: dict[str, Tensor] = {}
    reward, groups = RewardSum(TASK, 2, CPU).add(torch.tensor([1.0, 2.0]), None, metrics)
    assert reward.tolist() == [2.5, 5.5]  # (3 * 2 x - 1) / 2
    assert groups == {}
    assert {tag: float(value) for tag, value in metrics.items()} == {"Metrics/double": 3.0}


def test_the_floor_lifts_the_sum_but_not_what_is_reported() -> None:
    rewards = RewardSum(replace(TASK, reward_floor=0.0), 2, CPU)
    assert rewards.add(torch.tensor([-1.0, 1.0]), None, {})[0].tolist() == [0.0, 2.5]
    assert rewards.sums.tolist() == [[-3.0, 3.0], [-0.5, -0.5]]


def test_groups_are_summed_by_themselves_whatever_the_floor() -> None:
    """3 * 2 x / 2 beside -1 / 2; a group whose only term has no weight is nothing."""
    double_term, never_term, one_term = TASK.rewards
    terms = (replace(double_term, group="goal"), replace(never_term, group="idle"), replace(one_term, group="price"))
    rewards = RewardSum(replace(TASK, rewards=terms, reward_floor=0.0), 2, CPU)
    assert rewards.groups == ("goal", "idle", "price")
    total, groups = rewards.add(torch.tensor([-1.0, 1.0]), None, {})
    assert total.tolist() == [0.0, 2.5]
    assert {name: x.tolist() for name, x in groups.items()} == {
        "goal": [-3.0, 3.0],
        "idle": [0.0, 0.0],
        "price": [-0.5, -0.5],
    }


def test_a_failed_environment_gets_nothing() -> None:
    rewards = RewardSum(TASK, 2, CPU)
    assert rewards.add(torch.tensor([torch.nan, 1.0]), torch.tensor([0]), {})[0].tolist() == [0.0, 2.5]


def test_report_is_the_mean_over_ended_episodes_per_second_of_a_whole_one() -> None:
    rewards = RewardSum(TASK, 3, CPU)
    for _ in range(2):
        rewards.add(torch.tensor([1.0, 2.0, 5.0]), None, {})
    metrics: dict[str, Tensor] = {}
    rewards.report(torch.tensor([0, 1]), metrics)
    torch.testing.assert_close(metrics["Episode_Reward/double"], torch.tensor(0.9))  # mean of 6 and 12, over 10 s
    torch.testing.assert_close(metrics["Episode_Reward/one"], torch.tensor(-0.1))
