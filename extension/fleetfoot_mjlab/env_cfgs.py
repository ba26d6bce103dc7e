"""How mjlab's configs are changed, written down and read back.

They are dataclasses that hold numbers and text, but also functions and classes. What is plain can be set and is kept in
checkpoints; what is code stays that of the task, and a checkpoint made with other code is refused.

    env.rewards.pose.weight=0.5                    a field, or the key of a dict
    env.scene.sensors.0.num_slots=2                an element of a list
    env.commands.twist.ranges.lin_vel_x=[-1,1]     a list of as many numbers
    env.events.push_robot=null                     a term that mjlab then leaves out
"""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, final

import numpy as np
from mjlab.envs import ManagerBasedRlEnvCfg
from pydantic import TypeAdapter, ValidationError

from fleetfoot.core.config import nearest, read_value
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.env_cfgs import EnvCfgs

__all__ = ["MJLAB_CFGS", "with_changes_of"]

_SCALARS = (bool, int, float, str, type(None))
_NUMBER = int | float


@final
class _MjlabCfgs:
    """See the module."""

    def override(self, cfg: ManagerBasedRlEnvCfg, overrides: Mapping[str, str]) -> ManagerBasedRlEnvCfg:
        for path, text in overrides.items():
            if path == "auto_reset":
                expected = "nothing: each episode's last observation is taken before its environment is reset"
                raise ConfigError("env.auto_reset", got=text, expected=expected, fix="Leave it away.")
            cfg = _set(cfg, path.split("."), lambda old, hint, where, t=text: _typed(old, hint, t, where), "env")
        if cfg.scene.num_envs < 1:
            raise ConfigError("env.scene.num_envs", got=cfg.scene.num_envs, expected="at least 1")
        return cfg

    def num_envs(self, cfg: ManagerBasedRlEnvCfg) -> int:
        return cfg.scene.num_envs

    def seed(self, cfg: ManagerBasedRlEnvCfg) -> int | None:
        return cfg.seed

    def fields(self, cfg: ManagerBasedRlEnvCfg) -> Mapping[str, Any]:
        return _plain(cfg)

    def encode(self, cfg: ManagerBasedRlEnvCfg) -> dict[str, Any]:
        return _plain(cfg)

    def decode(self, like: ManagerBasedRlEnvCfg, data: Mapping[str, Any], *, where: str) -> ManagerBasedRlEnvCfg:
        return _like(like, ManagerBasedRlEnvCfg, data, where)


MJLAB_CFGS: Final[EnvCfgs[ManagerBasedRlEnvCfg]] = _MjlabCfgs()


def with_changes_of(
    cfg: ManagerBasedRlEnvCfg, base: ManagerBasedRlEnvCfg, target: ManagerBasedRlEnvCfg
) -> ManagerBasedRlEnvCfg:
    """Another config of a task, with what somebody has changed.

    Args:
        cfg: The config with the changes.
        base: What it was before them.
        target: What to make the changes in; where it differs from `base` itself, it stays as it is.
    """
    target = copy.deepcopy(target)
    for path, data in _differences(_plain(base), _plain(cfg), ()):
        if _at(_plain(target), path) == _at(_plain(base), path):
            target = _set(target, path, lambda old, hint, where, d=data: _like(old, hint, d, where), "env")
    return target


def _plain(value: Any) -> Any:
    """Plain JSON data; code by its name."""
    match value:
        case Enum():
            return value.name
        case bool() | int() | float() | str() | None:
            return value
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case np.ndarray():
            return value.tolist()
        case type():
            return f"{value.__module__}:{value.__qualname__}"
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _ if callable(value) and not isinstance(value, slice):
            return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__qualname__)}"
        case _:
            return repr(value)


def _set(node: Any, path: Sequence[str], change: Callable[[Any, Any, str], Any], where: str, hint: Any = Any) -> Any:
    """A copy of `node` with what is at `path` changed: `change(value, type hint, dotted path)`."""
    if not path:
        return change(node, hint, where)
    name, below = path[0], f"{where}.{path[0]}"
    children = _children(node)
    if name not in children:
        if not children:
            raise ConfigError(below, got="a path below a plain value", expected=f"no further path than {where}")
        raise ConfigError(below, got="an unknown field", expected=f"a field of {where}", fix=nearest(name, children))
    new = _set(children[name], path[1:], change, below, _hint_of_child(node, name, hint))
    return _with_child(node, name, new, where)


def _children(node: Any) -> dict[str, Any]:
    """What lies below a node, by name."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    if isinstance(node, Mapping):
        return {str(key): value for key, value in node.items()}
    if isinstance(node, list | tuple):
        return {str(number): value for number, value in enumerate(node)}
    return {}


def _with_child(node: Any, name: str, value: Any, where: str) -> Any:
    if isinstance(node, Mapping):
        return {key: value if str(key) == name else item for key, item in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(value if str(number) == name else item for number, item in enumerate(node))
    try:
        return dataclasses.replace(node, **{name: value})
    except (TypeError, ValueError) as error:  # the config's own check
        raise ConfigError(f"{where}.{name}", got=value, expected="what mjlab accepts", fix=str(error)) from error


def _hint_of_child(node: Any, name: str, hint: Any) -> Any:
    """The declared type of a field, or `Any`."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return typing.get_type_hints(type(node), include_extras=True).get(name, Any)
    arguments = typing.get_args(hint)
    if not isinstance(node, Mapping) or len(arguments) != 2 or arguments[-1] is Any:
        return Any
    return typing.Optional[arguments[-1]]  # noqa: UP045 - a type known only here; mjlab leaves terms out that are None


def _typed(old: Any, hint: Any, text: str, where: str) -> Any:
    """What was typed, as the type that belongs there."""
    return _like(old, hint, read_value(text, str if isinstance(old, str) or hint is str else hint), where)


def _like(old: Any, hint: Any, data: Any, where: str) -> Any:
    """Plain data as the type that belongs in the place of `old`; `old` itself if it says the same."""
    if data == _plain(old) and type(data) is type(_plain(old)):
        return old
    if data is None and _may_be_none(hint):
        return None
    if dataclasses.is_dataclass(old) and not isinstance(old, type):
        for name, value in _members(data, _children(old), where, exactly=True).items():
            old = _set(old, (name,), lambda o, h, w, v=value: _like(o, h, v, w), where)
        return old
    if isinstance(old, Mapping) and not (_is_plain(old) and _has_others(data, old)):
        found = _members(data, _children(old), where, exactly=False)
        kept = {key: value for key, value in old.items() if str(key) in found}
        inner = _hint_of_child(old, "", hint)
        return {key: _like(value, inner, found[str(key)], f"{where}.{key}") for key, value in kept.items()}
    if isinstance(old, list | tuple) and isinstance(data, list) and len(data) == len(old) and _is_deep(old):
        pairs = enumerate(zip(old, data, strict=True))
        return type(old)(_like(was, Any, value, f"{where}.{number}") for number, (was, value) in pairs)
    if isinstance(old, Enum):
        return _member(old, data, where)
    return _leaf(old, hint, data, where)


def _members(data: Any, known: Mapping[str, Any], where: str, *, exactly: bool) -> Mapping[str, Any]:
    """The data of a node's members, all of which have to be known; and to be there, if `exactly`."""
    if not isinstance(data, Mapping):
        raise ConfigError(where, got=data, expected=f"fields: {', '.join(known) or 'none'}", fix="Set one of them.")
    for name in data:
        if name not in known:
            expected = f"a field of {where}"
            raise ConfigError(f"{where}.{name}", got="an unknown field", expected=expected, fix=nearest(name, known))
    if missing := [name for name in known if exactly and name not in data]:
        raise ConfigError(f"{where}.{missing[0]}", got="nothing", expected="a value, as in this version of mjlab")
    return data


def _member(old: Enum, data: Any, where: str) -> Enum:
    names = type(old).__members__
    if data not in names:
        raise ConfigError(where, got=repr(data), expected=f"one of {', '.join(names)}", fix=nearest(str(data), names))
    return names[data]


def _has_others(data: Any, old: Mapping[str, Any]) -> bool:
    return isinstance(data, Mapping) and not set(data) <= set(map(str, old))


def _is_deep(values: Sequence[Any]) -> bool:
    return not all(isinstance(value, _SCALARS) for value in values)


def _leaf(old: Any, hint: Any, data: Any, where: str) -> Any:
    """Plain data in the place of plain data."""
    is_declared = hint is not Any and _is_simple(hint)
    if not _is_plain(old) or (old is None and hint is not Any and not is_declared):
        expected = "what it is: only a program can change it" if old is None else f"{_plain(old)}, which is code"
        raise ConfigError(where, got=data, expected=expected, fix="Register a task of your own with mjlab.")
    wanted = hint if is_declared else _hint_of(old)
    if isinstance(data, bool) and wanted in (int, float, _NUMBER):
        raise ConfigError(where, got=str(data).lower(), expected="a number")
    try:
        return TypeAdapter(wanted).validate_python(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].removeprefix("Input should be ")
        raise ConfigError(where, got=repr(data), expected=problem) from None


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON data already, but for tuples."""
    if isinstance(value, Mapping | list | tuple):
        return all(map(_is_plain, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, _SCALARS) and not isinstance(value, Enum)


def _is_simple(hint: Any) -> bool:
    """Whether a type is made of plain ones alone."""
    if typing.get_origin(hint) is typing.Literal:
        return True
    arguments = [argument for argument in typing.get_args(hint) if argument is not Ellipsis]
    return all(map(_is_simple, arguments)) if arguments else hint in (*_SCALARS, tuple, list, dict, Any)


def _hint_of(old: Any) -> Any:
    """The type of a plain value that nobody has declared; of numbers in a tuple there stay as many."""
    match old:
        case bool() | str():
            return type(old)
        case int() | float():
            return _NUMBER
        case tuple() if old and all(_hint_of(value) == _NUMBER for value in old):
            return tuple[(_NUMBER,) * len(old)]
        case tuple():
            return tuple[_common_hint(old), ...]
        case list():
            return list[_common_hint(old)]
        case Mapping():
            return dict[str, _common_hint(list(old.values()))]
        case _:
            return Any


def _common_hint(values: Sequence[Any]) -> Any:
    hints = [_hint_of(value) for value in values]
    return hints[0] if hints and all(hint == hints[0] for hint in hints) else Any


def _may_be_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _differences(one: Any, other: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Where plain data differ, as deep as both have the same names, and what the other has there."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        return [found for name in one for found in _differences(one[name], other[name], (*path, name))]
    return [] if one == other else [(path, other)]


def _at(data: Any, path: Sequence[str]) -> Any:
    """What plain data have at a path; None if there is no such path."""
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return None
        data = data[name]
    return data
