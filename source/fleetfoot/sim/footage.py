"""What was filmed, before it is a video: states that have yet to be drawn, or pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fleetfoot.errors import ConfigError
from fleetfoot.sim.pictures import Pictures
from fleetfoot.sim.recording import Recording

__all__ = ["Footage", "load_footage"]

Footage: TypeAlias = Recording | Pictures


def load_footage(path: Path) -> Footage:
    """Read what the `save` of either wrote.

    Raises:
        ConfigError: The file is missing, is neither, or contradicts itself.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return Pictures.read(data) if "jpegs" in data else Recording.read(data)
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(str(path), got=f"{type(error).__name__}: {error}", expected="a recording") from None
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(str(path), got=str(error), expected="a recording") from None
