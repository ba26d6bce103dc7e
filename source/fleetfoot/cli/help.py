"""`--help`: every flag, and every field that can be overridden, with its range, default and meaning. No torch here."""

from __future__ import annotations

import dataclasses
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from fleetfoot.cli.arguments import Command, build_parser
from fleetfoot.core.config import field_docs, field_options
from fleetfoot.tasks.registry import TaskSpec

__all__ = ["help_text"]

WIDTH = 80


def help_text(command: Command, task: TaskSpec, agent: str) -> str:
    """The whole help of a command; the defaults are those of a task and one of its agents."""
    parser = build_parser(command)
    lines = [parser.format_help().rstrip()]
    if command in ("train", "play", "evaluate"):
        lines += ["", f"fields of {task.name}, agent {agent}: set any of them by env.PATH=VALUE or agent.PATH=VALUE"]
        lines += ["", *describe_fields(task.env_cfg(), "env"), "", *describe_fields(task.agents[agent](), "agent")]
    return "\n".join(lines)


def describe_fields(cfg: Any, path: str) -> Iterator[str]:
    """Two or three lines for each field of a config and of the configs in it."""
    hints = typing.get_type_hints(type(cfg), include_extras=True)
    docs = field_docs(type(cfg))
    for item in dataclasses.fields(cfg):
        value, hint, name = getattr(cfg, item.name), hints[item.name], f"{path}.{item.name}"
        if dataclasses.is_dataclass(value):
            yield from describe_fields(value, name)
            yield from _describe_alternatives(value, hint, name)
        elif item.name != "kind":
            yield f"  {name}={_show(value)}"
            yield from textwrap.wrap(
                f"{describe_type(hint)}. {' '.join(docs[item.name].split())}",
                WIDTH,
                initial_indent="      ",
                subsequent_indent="      ",
            )
            if value is None:  # what is switched off has fields too, and setting one switches it on
                yield from (f"  {line}" for option in field_options(hint) for line in describe_fields(option(), name))


def describe_type(hint: Any) -> str:
    """A type and its range in words: `number >= 0`, `one of a, b`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        limits = [limit for meta in arguments[1:] for limit in _limits(meta)]
        return " ".join([describe_type(arguments[0]), *limits])
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (types.UnionType, typing.Union):
        return " or ".join("null" if a is type(None) else describe_type(a) for a in arguments)
    if origin is tuple:
        inner = [describe_type(a) for a in arguments if a is not Ellipsis]
        return f"list of {inner[0]}" if Ellipsis in arguments else f"[{', '.join(inner)}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {describe_type(arguments[0])} to {describe_type(arguments[1])}"
    names = {int: "integer", float: "number", bool: "true or false", str: "text"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _describe_alternatives(value: Any, hint: Any, path: str) -> Iterator[str]:
    """The other members of a union, each with its fields."""
    options = field_options(hint)
    if len(options) < 2:
        return
    kinds = [option.kind for option in options]  # pyright: ignore[reportAttributeAccessIssue] (members of a union)
    yield f"  {path}.kind={value.kind}"
    yield f"      one of {', '.join(kinds)}; choosing another begins with its defaults:"
    for option in options:
        if not isinstance(value, option):
            yield from (f"  {line}" for line in describe_fields(option(), path))


def _limits(meta: Any) -> Iterator[str]:
    """The limits that a pydantic field states, as `>= 0`."""
    symbols = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    for constraint in getattr(meta, "metadata", [meta]):
        for name, symbol in symbols.items():
            limit = getattr(constraint, name, None)
            if limit is not None:
                yield f"{symbol} {limit}"


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{','.join(map(_show, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if value != "" else "''"
