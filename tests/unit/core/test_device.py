"""One name for each device."""

from __future__ import annotations

import pytest
import torch

from fleetfoot.core.device import exact_device


@pytest.mark.parametrize(
    ("name", "exact"),
    [("cpu", "cpu"), ("cpu:0", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("meta", "meta")],
)
def test_a_device_has_one_name(name: str, exact: str) -> None:
    assert exact_device(name) == torch.device(exact)
    assert exact_device(torch.device(name)) == torch.device(exact)


def test_it_is_the_name_that_tensors_give(device: torch.device) -> None:
    assert torch.zeros(1, device=device.type).device == exact_device(device.type)
