"""The device that `--device` means."""

from __future__ import annotations

import torch

from fleetfoot.core.device import exact_device
from fleetfoot.errors import ConfigError

__all__ = ["resolve_device"]


def resolve_device(name: str) -> torch.device:
    """`cpu`, `cuda` or `cuda:N`, if it is there.

    Raises:
        ConfigError: There is no such device; says why.
    """
    try:
        device = exact_device(name)
    except RuntimeError:
        raise ConfigError("--device", got=repr(name), expected="cpu, cuda or cuda:N") from None
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise ConfigError("--device", got=repr(name), expected="cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        build = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees no CUDA device"
        raise ConfigError("--device", got=f"{name!r}, but {build}", expected="a device that is there", fix="Use cpu.")
    count = torch.cuda.device_count()
    if device.index >= count:
        raise ConfigError("--device", got=repr(name), expected=f"one of cuda:0 to cuda:{count - 1}")
    return device
