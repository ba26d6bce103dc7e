"""Numbers, times and paths as short text."""

from __future__ import annotations

import math

__all__ = ["compact", "duration", "shorten", "shorten_path"]


def compact(value: float) -> str:
    """Three or four significant digits in at most 7 characters: `23.41`, `0.0013`, `-1.2e-7`, `12,345`."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 99_999.5 or 0 < size < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if size >= 999.95:
        return f"{value:,.0f}"
    decimals = 1 if size >= 99.995 else 2 if size >= 9.9995 else 3 if size >= 0.1 or size == 0 else 4
    return f"{value:.{decimals}f}"


def duration(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`; `-:--` when not known."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def shorten(text: str, width: int, ellipsis: str) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= width else text[: max(width - len(ellipsis), 0)] + ellipsis


def shorten_path(path: str, width: int, ellipsis: str) -> str:
    """The path, or an ellipsis and its end, which is what tells runs apart."""
    return path if len(path) <= width else ellipsis + path[len(path) - max(width - len(ellipsis), 0) :]
