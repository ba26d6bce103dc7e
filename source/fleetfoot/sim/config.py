"""How physics is stepped. No torch and no simulator here: this is data."""

from __future__ import annotations

from fleetfoot.core.config import Count, PositiveFloat, config

__all__ = ["SimCfg"]


@config
class SimCfg:
    """The physics engine's clock and threads."""

    dt: PositiveFloat = 0.005
    """Duration of one physics step [s]."""
    num_threads: Count | None = None
    """Threads that step environments; null for one per CPU that the process may use. Results do not depend on it."""
