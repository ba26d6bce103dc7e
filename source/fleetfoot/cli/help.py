"""`--help`: every flag, and every field that can be overridden, with its range, default and meaning. No torch here."""

from __future__ import annotations

import dataclasses
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, final

from fleetfoot.cli.arguments import Command, build_parser
from fleetfoot.core.config import field_docs, field_options
from fleetfoot.tasks.env_cfgs import DATACLASSES
from fleetfoot.tasks.registry import TaskSpec

__all__ = ["describe_fields", "describe_type", "describe_values", "help_text"]


def help_text(command: Command, task: TaskSpec, agent: str, width: int = 80) -> str:
    """The whole help of a command, in lines of at most `width` columns; the defaults are those of a task's agent."""
    parser = build_parser(command)
    lines = [parser.format_help().rstrip()]
    if command in ("train", "play", "evaluate"):
        title = f"fields of {task.name}, agent {agent}: set any of them by env.PATH=VALUE or agent.PATH=VALUE"
        lines += ["", *textwrap.wrap(title, width)]
        env_cfg = task.env_cfg()
        if task.cfgs is DATACLASSES:
            lines += ["", *describe_fields(env_cfg, "env", width)]
        else:  # somebody else's classes, which say less of themselves
            lines += ["", *describe_values(task.cfgs.fields(env_cfg), "env")]
        lines += ["", *describe_fields(task.agents[agent](), "agent", width)]
    return "\n".join(lines)


def describe_fields(cfg: Any, path: str, width: int) -> list[str]:
    """Every field of a config, and of the configs in it, in lines of at most `width` columns where words allow it."""
    return list(_Page(width).fields(cfg, path))


def describe_values(data: Mapping[str, Any], path: str) -> list[str]:
    """Every value in plain data, a line each."""
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            lines += describe_values(value, f"{path}.{key}")
        else:
            lines.append(f"  {path}.{key}={_show(value)}")
    return lines


@final
@dataclasses.dataclass(frozen=True)
class _Page:
    """Describes fields of configs in lines, the deeper the further to the right.

    agent.schedule.kind=linear              a choice: what is chosen
        one of fixed, linear, …
      kind=fixed                            each of what there is to choose from
          What it does.
      kind=linear (default)
          What it does.
        agent.schedule.iterations=1000      and its fields
            integer >= 1. …
    """

    width: int

    def fields(self, cfg: Any, path: str, indent: str = "  ") -> Iterator[str]:
        """Every field of a config, and of the configs in it."""
        hints = typing.get_type_hints(type(cfg), include_extras=True)
        docs = field_docs(type(cfg))
        for item in dataclasses.fields(cfg):
            value, hint, name = getattr(cfg, item.name), hints[item.name], f"{path}.{item.name}"
            options, doc = field_options(hint), docs.get(item.name, "")
            if len(options) > 1:
                yield from self._choice(value, hint, name, doc, indent)
            elif options and _may_be_null(hint):
                yield from self._switch(value, options[0], name, doc, indent)
            elif options:
                yield from self.fields(value, name, indent)
            elif item.name != "kind":
                yield f"{indent}{name}={_show(value)}"
                yield from self._prose(f"{describe_type(hint)}. {doc}", indent)

    def _choice(self, value: Any, hint: Any, path: str, doc: str, indent: str) -> Iterator[str]:
        """A field that holds a member of a union, or possibly nothing."""
        options = field_options(hint)
        kinds = ", ".join(_kind_of(option) for option in options)
        if value is None:
            yield f"{indent}{path}=null"
            yield from self._prose(f"null, or {path}.kind, one of {kinds}. {doc}", indent)
        else:
            yield f"{indent}{path}.kind={_kind_of(value)}"
            or_null = f" {path}=null for none." if _may_be_null(hint) else ""
            begins = f"one of {kinds}. Another one begins with its own defaults.{or_null} {doc}"
            yield from self._prose(begins, indent)
        for option in options:
            chosen = isinstance(value, option)
            yield f"{indent}  kind={_kind_of(option)}{' (default)' if chosen else ''}"
            yield from self._prose(_summary(option), f"{indent}  ")
            yield from self.fields(value if chosen else option(), path, f"{indent}    ")

    def _switch(self, value: Any, option: type, path: str, doc: str, indent: str) -> Iterator[str]:
        """A field that holds a config of one kind, or nothing."""
        if value is None:
            yield f"{indent}{path}=null"
            yield from self._prose(f"null, or the fields below: setting one of them switches it on. {doc}", indent)
        else:
            yield f"{indent}{path}"
            yield from self._prose(f"the fields below, or null. {doc}", indent)
        yield from self.fields(option() if value is None else value, path, f"{indent}  ")

    def _prose(self, text: str, indent: str) -> list[str]:
        edge = f"{indent}    "
        return textwrap.wrap(" ".join(text.split()), self.width, initial_indent=edge, subsequent_indent=edge)


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
    if fields := field_options(hint):
        return f"{{{', '.join(item.name for item in dataclasses.fields(fields[0]) if item.name != 'kind')}}}"
    names = {int: "integer", float: "number", bool: "true or false", str: "text"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _may_be_null(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _kind_of(member: Any) -> str:
    """The name by which a member of a union, or its class, is chosen."""
    return member.kind


def _summary(option: type) -> str:
    """The first paragraph of what a config class says of itself."""
    return (option.__doc__ or "").strip().partition("\n\n")[0]


def _limits(meta: Any) -> Iterator[str]:
    """The limits that a pydantic field states, as `>= 0`."""
    symbols = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    for constraint in getattr(meta, "metadata", [meta]):
        for name, symbol in symbols.items():
            limit = getattr(constraint, name, None)
            if limit is not None:
                yield f"{symbol} {limit}"


def _show(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_show, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if value != "" else "''"
