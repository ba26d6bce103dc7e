"""Frozen configuration: how it is declared, written down, read back and overridden.

A config is a frozen keyword-only dataclass whose fields carry their range in the type and their meaning in the string
below them. A choice among implementations is a union whose members each have a literal `kind`; data is decoded only
into declared members, so a file can never name code to import. Validation is pydantic's; the errors are ours.

    @config
    class GaussianCfg:
        kind: Literal["gaussian"] = "gaussian"
        init_std: PositiveFloat = 1.0
        '''Standard deviation at the start, in units of the action.'''

This module imports no torch, so that everything a user can set can be listed at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, dataclass_transform

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from fleetfoot.errors import ConfigError

__all__ = [
    "IN_ORDER",
    "Count",
    "FiniteFloat",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveRange",
    "Range",
    "UnitInterval",
    "apply_overrides",
    "config",
    "decode",
    "encode",
    "field_docs",
    "field_options",
    "nearest",
    "read_value",
]

C = TypeVar("C")

Count = Annotated[int, Field(ge=1, strict=True)]
"""A number of things: an integer of at least 1."""
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
"""A number of things of which there may be none."""


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")
    return value


_IS_NUMBER = BeforeValidator(_no_truth_value)  # a strict float would not take 1e-3, which YAML reads as text

FiniteFloat = Annotated[float, Field(allow_inf_nan=False), _IS_NUMBER]
"""A number of either sign: not NaN, not infinite, and not `true`."""
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False), _IS_NUMBER]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False), _IS_NUMBER]
UnitInterval = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _IS_NUMBER]


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound first")
    return bounds


IN_ORDER = AfterValidator(_in_order)
"""What makes a range of a pair of numbers: `Annotated[tuple[X, X], IN_ORDER]`."""
Range = Annotated[tuple[FiniteFloat, FiniteFloat], IN_ORDER]
"""Lowest and highest value."""
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], IN_ORDER]
"""Lowest and highest value, both above zero."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field, Field))
def config(cls: type[C]) -> type[C]:
    """Declare a frozen, keyword-only, validated config class."""
    settings = ConfigDict(extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False)
    return pydantic_dataclass(frozen=True, kw_only=True, config=settings)(cls)  # pyright: ignore[reportReturnType]


def encode(cfg: Any) -> dict[str, Any]:
    """The config as plain JSON data; `decode` turns it back into an equal one."""
    return TypeAdapter(type(cfg)).dump_python(cfg, mode="json")


def decode(cls: type[C], data: Mapping[str, Any], *, where: str) -> C:
    """Build a `cls` from plain data.

    Args:
        cls: The config class.
        data: What `encode`, a YAML file or the command line gave.
        where: What the dotted path of a wrong field starts with, as `agent`.

    Raises:
        ConfigError: A field is unknown, of the wrong type or out of its range; names the first such field.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(data))
    except ValidationError as error:
        raise _explain(error, cls, where) from None


def apply_overrides(cfg: C, overrides: Mapping[str, str], *, where: str) -> C:
    """A copy of the config with fields replaced.

    Args:
        cfg: The config to start from.
        overrides: Dotted path below `cfg` to the value as typed, read as YAML (`3e-4`, `[256, 128]`, `true`, `null`).
            Where a field holds text, it is the text as typed, even if it looks like a number. Order does not matter.
        where: The name of `cfg` on the command line, as `agent`.

    Raises:
        ConfigError: The path does not exist (the nearest one is offered), or the value does not fit its field.
    """
    kinds = sorted((path for path in overrides if path.endswith(".kind")), key=lambda path: path.count("."))
    for path in kinds:  # first, and the outermost first: they decide which fields there are
        cfg = _replace(cfg, {path: overrides[path]}, where)
    return _replace(cfg, {path: text for path, text in overrides.items() if path not in kinds}, where)


def nearest(name: str, names: Iterable[str]) -> str:
    """`Did you mean X?` for the closest of the names, else a list of them all."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


def field_docs(cls: type) -> dict[str, str]:
    """What each field of a config means, also those that its base declares: pydantic reads them only there."""
    declared = [vars(base)["__pydantic_fields__"] for base in cls.__mro__[::-1] if "__pydantic_fields__" in vars(base)]
    return {name: info.description for fields in declared for name, info in fields.items() if info.description}


def field_options(hint: Any) -> list[type]:
    """The config classes that a field's type admits: the members of a union, one class, or none."""
    if typing.get_origin(hint) is Annotated:
        return field_options(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [option for member in typing.get_args(hint) for option in field_options(member)]
    return [hint] if isinstance(hint, type) and dataclasses.is_dataclass(hint) else []


def _replace(cfg: C, overrides: Mapping[str, str], where: str) -> C:
    data = TypeAdapter(type(cfg)).dump_python(cfg)
    for path, text in overrides.items():
        _set(cfg, data, path.split("."), text, where)
    return decode(type(cfg), data, where=where)


def read_value(text: str, hint: Any) -> Any:
    """What was typed, as YAML reads it, or as it stands where text is wanted."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    wants_text = (typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint) is str
    return text if wants_text and not isinstance(value, str) else value


def _set(node: Any, data: Any, path: list[str], text: str, where: str) -> None:
    """Write one override into `data`, the dumped form of the config `node`."""
    name, rest = path[0], path[1:]
    if not isinstance(data, dict):
        raise ConfigError(where, got=f"a path below it ({name!r})", expected="no further path: it is a plain value")
    node = {} if node is None else node  # what is there now has been put there by another override
    if isinstance(node, Mapping):
        known: Iterable[str] = [*data, name] if not rest else list(data)
        hints: Mapping[str, Any] = {}
    else:
        known = [f.name for f in dataclasses.fields(node)]
        hints = typing.get_type_hints(type(node), include_extras=True)
    if name not in known:
        raise ConfigError(
            f"{where}.{name}", got="an unknown field", expected=f"a field of {where}", fix=nearest(name, known)
        )
    if rest:
        child = node.get(name) if isinstance(node, Mapping) else getattr(node, name)
        if child is None:  # setting a field of what is switched off switches it on
            child = _switched_on(field_options(hints.get(name)), data.get(name), rest, text, f"{where}.{name}")
            if child is not None and not data[name]:  # else another override has
                data[name] = TypeAdapter(type(child)).dump_python(child)
        _set(child, data.setdefault(name, {}), rest, text, f"{where}.{name}")
        return
    value = read_value(text, hints.get(name))
    if name == "kind" and name in hints and value != data["kind"]:
        data.clear()  # another member of the union starts from its own defaults
    data[name] = value


def _switched_on(options: list[type], given: Any, rest: list[str], text: str, where: str) -> Any:
    """What a field becomes when something below it is set: the only member there is, or the one whose kind is given."""
    if len(options) <= 1:
        return options[0]() if options else None
    members = {str(_kind_of(option)): option for option in options}
    kind = given.get("kind") if isinstance(given, dict) else text if rest == ["kind"] else None
    if kind in members:
        return members[kind]()
    fix = f"Set {where}.kind as well." if kind is None else nearest(str(kind), members)
    got = "null" if kind is None else repr(kind)
    raise ConfigError(f"{where}.kind", got=got, expected=f"one of {', '.join(members)}", fix=fix)


def _explain(error: ValidationError, cls: type, where: str) -> ConfigError:
    """The first problem that pydantic found, in our four parts."""
    problem = error.errors(include_url=False)[0]
    hints = [cls]
    path = where
    for step in problem["loc"]:
        if any(step == _kind_of(option) for option in hints):
            hints = [option for option in hints if step == _kind_of(option)]
            continue  # pydantic names the member of a union here, which is no part of the path
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
        hints = [o for h in hints for o in field_options(typing.get_type_hints(h, include_extras=True).get(str(step)))]
    if problem["type"] == "unexpected_keyword_argument":
        return ConfigError(path, got="an unknown field", expected="a field of this config", fix="Check its spelling.")
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        tag, tags = context["tag"], context["expected_tags"]
        return ConfigError(
            f"{path}.kind",
            got=repr(tag),
            expected=f"one of {tags}",
            fix=nearest(tag, tags.replace("'", "").split(", ")),
        )
    got = json.dumps(problem["input"], default=str) if problem["type"] != "missing" else "nothing"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return ConfigError(path, got=got, expected=expected.replace("String should match pattern", "text of the form"))


def _kind_of(cls: type) -> object:
    return getattr(cls, "kind", None)
