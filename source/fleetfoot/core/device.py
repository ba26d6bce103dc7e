"""One name for each device, so that two of them can be compared."""

from __future__ import annotations

import torch

__all__ = ["exact_device"]


def exact_device(device: torch.device | str) -> torch.device:
    """The device as its tensors name it: `cpu` without a number, `cuda` with the number of the current one.

    To torch, `cuda` and `cuda:0` are two devices, and so are `cpu` and `cpu:0`.
    """
    device = torch.device(device)
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device() if torch.cuda.is_initialized() else 0)
    return device
