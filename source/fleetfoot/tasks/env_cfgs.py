"""How the configs of environments are changed, written down and read back: each simulator has its own kind of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar, final

from fleetfoot.core.config import apply_overrides, decode, encode

__all__ = ["DATACLASSES", "EnvCfgs"]

C = TypeVar("C")


class EnvCfgs(Protocol[C]):
    """What can be done with the configs of a kind. None of it changes the config that is given."""

    def override(self, cfg: C, overrides: Mapping[str, str]) -> C:
        """The config with fields replaced: dotted path below `env` to the value as typed.

        `scene.num_envs` is the number of environments in every simulator.

        Raises:
            ConfigError: There is no such field, or it cannot have that value.
        """
        ...

    def num_envs(self, cfg: C) -> int:
        """Environments side by side."""
        ...

    def seed(self, cfg: C) -> int | None:
        """The seed of the environment alone; None if it is that of the training."""
        ...

    def fields(self, cfg: C) -> Mapping[str, Any]:
        """What `override` finds below `env`, and what it is now, as plain JSON data: what `--help` shows."""
        ...

    def encode(self, cfg: C) -> dict[str, Any]:
        """The config as plain JSON data: what a checkpoint carries."""
        ...

    def decode(self, like: C, data: Mapping[str, Any], *, where: str) -> C:
        """The config that `encode` wrote.

        Args:
            like: The task's own config.
            data: What was written.
            where: What the dotted path of a wrong field starts with.

        Raises:
            ConfigError: It is not a config of this task.
        """
        ...


@final
class _Dataclasses:
    """Our own: see `fleetfoot.core.config`. Each has `scene.num_envs` and `seed`."""

    def override(self, cfg: Any, overrides: Mapping[str, str]) -> Any:
        return apply_overrides(cfg, overrides, where="env")

    def num_envs(self, cfg: Any) -> int:
        return cfg.scene.num_envs

    def seed(self, cfg: Any) -> int | None:
        return cfg.seed

    def fields(self, cfg: Any) -> Mapping[str, Any]:
        return encode(cfg)

    def encode(self, cfg: Any) -> dict[str, Any]:
        return encode(cfg)

    def decode(self, like: Any, data: Mapping[str, Any], *, where: str) -> Any:
        return decode(type(like), data, where=where)


DATACLASSES: Final[EnvCfgs[Any]] = _Dataclasses()
