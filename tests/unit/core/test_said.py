"""What others say of a step, as metrics."""

import math
from types import SimpleNamespace

import torch

from fleetfoot.core.said import as_metrics, describe_joint_targets, describe_term

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


def test_targets_of_joints_are_one_number_for_each_action():
    scale, offset = torch.tensor([[0.5, 0.25], [0.5, 0.25]]), torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    assert describe_joint_targets(("a", "b", "c"), [(scale, offset, 2), (2.0, 0, 1)], 3.0) == {
        "names": ["a", "b", "c"],
        "scale": [0.5, 0.25, 2.0],
        "offset": [1.0, 2.0, 0.0],
        "clip": 3.0,
    }


def test_a_term_that_nothing_is_done_to():
    cfg = SimpleNamespace(scale=None, clip=None, history_length=0)
    assert describe_term(cfg) == {"scale": 1.0, "offset": 0.0, "clip": None, "history": 1}
    cfg = SimpleNamespace(scale=(2.0, 3.0), clip=(-1.0, 1.0), history_length=4)
    assert describe_term(cfg) == {"scale": [2.0, 3.0], "offset": 0.0, "clip": [-1.0, 1.0], "history": 4}


def test_nothing_said_is_nothing():
    assert as_metrics({}, CPU) == {}
