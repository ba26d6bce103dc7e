"""How physics is stepped and seen. No torch and no simulator here: this is data."""

from __future__ import annotations

from typing import Literal

from fleetfoot.core.config import Count, PositiveFloat, config

__all__ = ["CameraCfg", "SimCfg"]


@config
class SimCfg:
    """The physics engine's clock and threads."""

    dt: PositiveFloat = 0.005
    """Duration of one physics step [s]."""
    num_threads: Count | None = None
    """Threads that step environments; null for one per CPU that the process may use. Results do not depend on it."""


@config
class CameraCfg:
    """Small pictures of each environment, as a policy sees them."""

    width: Count = 32
    """Width of a picture [pixel]. How much is seen from left to right follows from it: the camera's angle is that from
    bottom to top."""
    height: Count = 32
    """Height of a picture [pixel]."""
    colour: Literal["grey", "rgb"] = "grey"
    """One channel for the brightness, or three."""
    frames: Count = 2
    """Pictures in an observation, one per control step, the oldest first: two show where things are going."""
    oversampling: Count = 2
    """Pixels drawn for each pixel of a picture, in either direction; their mean shows motions of less than a pixel."""
