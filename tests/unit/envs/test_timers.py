"""Alarms that each environment has of its own."""

from __future__ import annotations

import torch

from fleetfoot.envs.timers import IntervalTimer


def test_every_alarm_is_within_the_interval() -> None:
    timer = IntervalTimer(1000, (0.1, 0.3), 0.02, "cpu")
    timer.restart(torch.arange(1000), 7, torch.Generator().manual_seed(0))
    due_at = timer.state_dict()["due_at"]
    assert due_at.min() == 7 + 5
    assert due_at.max() == 7 + 15


def test_due_names_the_environments_whose_time_has_come() -> None:
    timer = IntervalTimer(3, (1.0, 1.0), 0.1, "cpu")
    generator = torch.Generator()
    timer.restart(torch.arange(3), 0, generator)
    timer.restart(torch.tensor([1]), 5, generator)
    assert timer.due(9) is None
    assert timer.due(10).tolist() == [0, 2]  # pyright: ignore[reportOptionalMemberAccess]
    timer.restart(torch.tensor([0, 2]), 10, generator)
    assert timer.due(14) is None
    assert timer.due(15).tolist() == [1]  # pyright: ignore[reportOptionalMemberAccess]


def test_state_round_trip() -> None:
    timer = IntervalTimer(4, (1.0, 2.0), 0.1, "cpu")
    timer.restart(torch.arange(4), 0, torch.Generator().manual_seed(1))
    other = IntervalTimer(4, (1.0, 2.0), 0.1, "cpu")
    assert other.goes_on_from(timer.state_dict())
    assert not IntervalTimer(4, (1.0, 2.5), 0.1, "cpu").goes_on_from(timer.state_dict())
    other.load_state_dict(timer.state_dict())
    for now in range(25):
        mine, theirs = timer.due(now), other.due(now)
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.equal(mine, theirs)  # pyright: ignore[reportArgumentType]
