"""A `train_cfg` as Isaac Lab and mjlab leave it beside the checkpoints: `params/agent.yaml`. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import yaml

from fleetfoot.compat.migration import migrate_isaaclab_cfg
from fleetfoot.errors import ConfigError

__all__ = ["find_agent_file", "read_agent_file"]

_TUPLE = "tag:yaml.org,2002:python/tuple"


def find_agent_file(checkpoint: Path) -> Path | None:
    """The file that a checkpoint's run left beside it; None if there is none."""
    path = checkpoint.parent / "params" / "agent.yaml"
    return path if path.is_file() else None


def read_agent_file(path: Path) -> dict[str, Any]:
    """The config in the form of rsl_rl 5.x, whatever form it was written in.

    Raises:
        ConfigError: It is missing, or no mapping of plain values.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)
    except OSError as error:
        raise ConfigError(str(path), got=error.strerror or str(error), expected="a train_cfg as YAML") from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(str(path), got=f"a file that cannot be read ({reason})", expected="plain values") from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), got=type(data).__name__, expected="a mapping, as rsl_rl's runner takes it")
    return migrate_isaaclab_cfg(data)


@final
class _PlainLoader(yaml.SafeLoader):
    """Reads plain values, and the tuples that Isaac Lab writes among them; never makes an object."""


def _sequence(loader: yaml.SafeLoader, node: yaml.Node) -> list[Any]:
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


_PlainLoader.add_constructor(_TUPLE, _sequence)
