"""What others say of a step, as metrics."""

import math

import torch

from fleetfoot.core.said import as_metrics

CPU = torch.device("cpu")


def test_tensors_are_averaged_and_numbers_come_along():
    said = {"a": torch.tensor([1, 2]), "b": 3, "Loss/c": 0.5, "empty": torch.zeros(0), "nan": math.nan}
    metrics = as_metrics(said, CPU, prefix="Episode/")
    assert {tag: x.item() for tag, x in metrics.items()} == {"Episode/a": 1.5, "Episode/b": 3.0, "Loss/c": 0.5}
    assert all(x.shape == () and x.dtype == torch.float32 for x in metrics.values())


def test_what_is_said_later_does_not_change_them():
    x = torch.tensor(1.0)
    metrics = as_metrics({"x": x}, CPU)
    x += 1
    assert metrics["x"].item() == 1.0


def test_nothing_said_is_nothing():
    assert as_metrics({}, CPU) == {}
