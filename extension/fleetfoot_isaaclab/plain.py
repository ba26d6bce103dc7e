"""Isaac Lab's configs as plain JSON data, to be read by people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import FunctionType
from typing import Any

__all__ = ["to_plain"]


def to_plain(value: Any) -> Any:
    """Mappings, lists, numbers, texts, truths and None of any config; what is none of them, as it shows itself.

    Args:
        value: A config, or a part of one. A class or a function becomes its name, `module:name`.
    """
    match value:
        case None | bool() | int() | str():
            return value if type(value) in (type(None), bool, int, str) else str(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case Mapping():
            return {str(key): to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [to_plain(item) for item in value]
        case type() | FunctionType():
            return f"{value.__module__}:{value.__qualname__}"
        case _ if is_dataclass(value):
            return {key: to_plain(item) for key, item in vars(value).items() if not key.startswith("_")}
        case _:
            return repr(value)
