"""Reading a foreign config key by key, so that a key nobody has read is an error and not a silence.

    section = Section({"gamma": 0.99, "lamm": 0.95}, "train_cfg.algorithm")
    cfg = section.build(PpoCfg, same={"gamma": 0.99, "lam": 0.95})
    section.finish()        # train_cfg.algorithm.lamm: got an unknown key; … Did you mean 'lam'?

No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, final

from fleetfoot.core.config import decode, nearest
from fleetfoot.errors import ConfigError

__all__ = ["REQUIRED", "Section"]

C = TypeVar("C")

REQUIRED: Final = object()
"""Stands for a default where there is none."""


@final
class Section:
    """One dict of a foreign config.

    Args:
        data: The dict.
        where: Its dotted path, for messages.
        notes: Where to put what a person should know, a sentence each; parts of this section share it.
    """

    def __init__(self, data: object, where: str, notes: list[str] | None = None) -> None:
        if not isinstance(data, Mapping):
            raise ConfigError(where, got=repr(data), expected="a dict")
        self.where = where
        self.notes = [] if notes is None else notes
        self._data = {str(key): value for key, value in data.items()}
        self._known: set[str] = set()
        self._parts: list[Section] = []

    def has(self, key: str) -> bool:
        """Whether the key is there, and not None."""
        self._known.add(key)
        return self._data.get(key) is not None

    def take(self, key: str, default: Any = REQUIRED) -> Any:
        """The value of a key.

        Raises:
            ConfigError: It is missing, and there is no default.
        """
        self._known.add(key)
        value = self._data.get(key, default)
        if value is REQUIRED:
            keys = f"Its keys: {', '.join(sorted(self._data))}."
            raise ConfigError(f"{self.where}.{key}", got="nothing", expected="a value: it has no default", fix=keys)
        return value

    def part(self, key: str, data: object = REQUIRED) -> Section:
        """The dict below a key, or `data` in its stead; it will have to be read to the end like this one."""
        part = Section(self.take(key) if data is REQUIRED else data, f"{self.where}.{key}", self.notes)
        self._parts.append(part)
        return part

    def choose(self, key: str, default: Any, names: Mapping[Any, C], *, any_case: bool = False, fix: str = "") -> C:
        """What the value of a key is called here.

        Args:
            key: The key.
            default: Its value if it is missing.
            names: Each value there can be, to what it is here.
            any_case: Whether capitals do not matter.
            fix: What else to do if it is none of them.

        Raises:
            ConfigError: It is none of them.
        """
        value = self.take(key, default)
        sought = value.lower() if any_case and isinstance(value, str) else value
        for there, here in names.items():
            if sought == there and isinstance(sought, bool) == isinstance(there, bool):
                return here
        expected = ", ".join(repr(name) for name in names)
        raise ConfigError(f"{self.where}.{key}", got=repr(value), expected=f"one of {expected}", fix=fix)

    def class_name(self, *names: str, default: Any = REQUIRED) -> str:
        """Which of rsl_rl's classes `class_name` means: by its name, by its path, or the class itself.

        Raises:
            ConfigError: It is none of `names`.
        """
        value = self.take("class_name", default)
        path = f"{value.__module__}:{value.__qualname__}" if isinstance(value, type) else value
        name = re.split("[.:]", path)[-1] if isinstance(path, str) and path.startswith("rsl_rl.") else path
        if name not in names:
            expected = f"{' or '.join(names)} of rsl_rl itself"
            raise ConfigError(f"{self.where}.class_name", got=repr(path), expected=expected)
        return name

    def only(self, key: str, value: Any, fix: str = "") -> None:
        """Accept one value, which is also the default: what it asks for is how it is done here."""
        if self.take(key, value) != value:
            raise ConfigError(f"{self.where}.{key}", got=repr(self.take(key)), expected=repr(value), fix=fix)

    def leave(self, keys: Iterable[str]) -> None:
        """Accept keys that say nothing about the training itself."""
        self._known.update(keys)

    def leave_unset(self, keys: Iterable[str]) -> None:
        """Accept keys of other kinds of this section, as long as they are None; mjlab's configs have them all."""
        self.leave(key for key in keys if self._data.get(key, REQUIRED) is None)

    def without_effect(self, key: str, default: Any, why: str) -> None:
        """Accept a key that changes nothing here, with a note where it would have changed something there."""
        if self.take(key, default) != default:
            self.notes.append(f"{self.where}.{key} has no effect: {why}.")

    def build(
        self,
        cls: type[C],
        *,
        same: Mapping[str, Any],
        renamed: Mapping[str, tuple[str, Any]] | None = None,
        **rest: Any,
    ) -> C:
        """A config of ours from the keys of this section.

        Args:
            cls: The config class.
            same: Key to the default that it has there; the field is called the same.
            renamed: Our field to the key that says the same but is called otherwise, and its default there.
            rest: Fields that follow from something else.

        Raises:
            ConfigError: A value is one that the field cannot have; named by their key.
        """
        keys = {key: (key, default) for key, default in same.items()} | dict(renamed or {})
        data = {field: self.take(*key) for field, key in keys.items()}
        try:
            return decode(cls, data | rest, where=self.where)
        except ConfigError as error:
            path = error.where.removeprefix(f"{self.where}.")
            field = path.split(".")[0].split("[")[0]
            theirs = keys.get(field, (field,))[0] + path[len(field) :]
            raise ConfigError(f"{self.where}.{theirs}", got=error.got, expected=error.expected, fix=error.fix) from None

    def finish(self, *, refuse: bool = True) -> None:
        """Refuse keys that nobody has read, here and below.

        Args:
            refuse: Whether those of this section itself are refused, or only noted.

        Raises:
            ConfigError: Names the first such key, and the nearest that there is.
        """
        for key in self._data:
            if key in self._known:
                continue
            where, fix = f"{self.where}.{key}", nearest(key, self._known)
            if refuse:
                raise ConfigError(where, got="an unknown key", expected=f"a key of {self.where}", fix=fix)
            self.notes.append(f"{where} has no effect: it is an unknown key. {fix}".rstrip())
        for part in self._parts:
            part.finish()
