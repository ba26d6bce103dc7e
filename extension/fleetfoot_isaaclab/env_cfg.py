"""The config of an Isaac Lab environment as small frozen data: what was asked for, of which Isaac Lab makes its own.

Isaac Lab's config of a task is a tree of mutable objects, made by the task. What is kept here is how to make it again:
the task, the presets that were selected, the fields that were set. It is resolved by Isaac Lab itself, each time anew.

No torch and no simulator here; `resolve` imports what it needs when it is called.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any, Final, final

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError, FleetfootError
from fleetfoot_isaaclab.plain import to_plain

__all__ = ["CFGS", "SELECTORS", "IsaacLabEnvCfg", "LaunchCfg", "resolve"]

SELECTORS: Final = ("physics", "renderer", "presets")
"""What begins a word that selects presets: `physics=newton_mjwarp`."""


@final
@dataclass(frozen=True, kw_only=True)
class LaunchCfg:
    """How the simulation is launched. It belongs to a process and not to a run: no checkpoint has it."""

    words: tuple[str, ...] = ()
    """Arguments of Isaac Lab's launcher, as typed: `--viz newton_gl`."""
    films: bool = False
    """Whether pictures are wanted while it runs."""
    is_distributed: bool = False
    """Whether this is one of several processes."""


@final
@dataclass(frozen=True, kw_only=True)
class IsaacLabEnvCfg:
    """What was asked for."""

    task: str
    """Its name in Gymnasium's registry."""
    selectors: tuple[str, ...] = ()
    """Presets as typed: `physics=NAME`, `renderer=NAME`, `presets=NAME,NAME`."""
    overrides: tuple[tuple[str, str], ...] = ()
    """Fields that were set: dotted path below `env`, and the value as typed."""
    clip_actions: float | None = None
    """Actions are clipped to between minus this and this; null for not at all. From the task's own agent config."""
    is_play: bool = False
    """Whether the task's own `play_mode` is applied: no noise, no disturbances."""
    launch: LaunchCfg = field(default_factory=LaunchCfg)


def resolve(cfg: IsaacLabEnvCfg, *, agent: str | None = None) -> Any:
    """Isaac Lab's own config, resolved by its own resolver.

    Args:
        cfg: What was asked for.
        agent: Entry point of an agent's config, which is then returned in place of the environment's.

    Raises:
        ConfigError: Isaac Lab refuses it; says why.
    """
    from isaaclab_tasks.utils import resolve_task_config

    words = [*cfg.selectors, *(f"env.{path}={value}" for path, value in cfg.overrides)]
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it says where it reads every config from
            env_cfg, agent_cfg = resolve_task_config(cfg.task, agent, play_mode=cfg.is_play, overrides=words)
    except FleetfootError:
        raise
    except Exception as error:  # whatever a task's config does when it is made: there is no common type
        got = f"{' '.join(words) or 'the config as it is'}: {_one_line(error)}"
        raise ConfigError(cfg.task, got=got, expected="a config that Isaac Lab can resolve") from error
    return env_cfg if agent is None else agent_cfg


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:600]}"


@final
class _Cfgs:
    """What can be done with such a config: see `fleetfoot.tasks.env_cfgs.EnvCfgs`."""

    def override(self, cfg: IsaacLabEnvCfg, overrides: Mapping[str, str]) -> IsaacLabEnvCfg:
        if not overrides:
            return cfg
        if device := overrides.get("sim.device"):
            raise ConfigError("env.sim.device", got=device, expected="nothing: the flag says it", fix="Use --device.")
        own = {path: value for path, value in overrides.items() if path == "clip_actions"}
        theirs = {path: value for path, value in overrides.items() if path not in own}
        changed = replace(cfg, overrides=tuple({**dict(cfg.overrides), **theirs}.items()))
        for value in own.values():
            changed = replace(changed, clip_actions=_clip_of(value, "env.clip_actions"))
        before, after = resolve(cfg), resolve(changed) if _all_there(resolve(cfg), theirs) else None
        for path, value in theirs.items():
            _check_type(path, value, _look_up(before, path), _look_up(after, path))
        return changed

    def num_envs(self, cfg: IsaacLabEnvCfg) -> int:
        return int(resolve(cfg).scene.num_envs)

    def seed(self, cfg: IsaacLabEnvCfg) -> int | None:
        """One that was typed: tasks leave theirs to the training script."""
        return resolve(cfg).seed if "seed" in dict(cfg.overrides) else None

    def fields(self, cfg: IsaacLabEnvCfg) -> Mapping[str, Any]:
        return {"clip_actions": cfg.clip_actions, **to_plain(resolve(cfg))}

    def encode(self, cfg: IsaacLabEnvCfg) -> dict[str, Any]:
        """What was asked for, and, to be read by people, what came of it."""
        return {
            "selectors": list(cfg.selectors),
            "overrides": dict(cfg.overrides),
            "clip_actions": cfg.clip_actions,
            "resolved": to_plain(resolve(cfg)),
        }

    def decode(self, like: IsaacLabEnvCfg, data: Mapping[str, Any], *, where: str) -> IsaacLabEnvCfg:
        """The config that was written, with the presets that were typed now in place of those of their kind."""
        selectors, overrides = data.get("selectors", []), data.get("overrides", {})
        if not isinstance(selectors, list) or not isinstance(overrides, Mapping):
            raise ConfigError(where, got="something else", expected=f"what was asked of {like.task}")
        kinds = {word.partition("=")[0] for word in like.selectors}
        kept = [word for word in selectors if word.partition("=")[0] not in kinds]
        return replace(
            like,
            selectors=(*kept, *like.selectors),
            overrides=tuple((str(path), str(value)) for path, value in overrides.items()),
            clip_actions=_clip_of(data.get("clip_actions"), f"{where}.clip_actions"),
        )


CFGS: Final = _Cfgs()


def _clip_of(value: Any, where: str) -> float | None:
    if value is None or str(value).lower() in ("null", "none"):
        return None
    try:
        clip = float(value)
    except ValueError:
        clip = -1.0
    if not clip > 0:
        raise ConfigError(where, got=repr(value), expected="a positive number, or null")
    return clip


def _all_there(env_cfg: Any, paths: Mapping[str, str]) -> bool:
    """Whether the config has every field: Isaac Lab would make those that it has not, and nobody would read them.

    Raises:
        ConfigError: It has not; offers the nearest.
    """
    for path in paths:
        _look_up(env_cfg, path)
    return True


def _look_up(env_cfg: Any, path: str) -> Any:
    found, seen = env_cfg, "env"
    for part in path.split("."):
        fields = _fields_of(found)
        if part not in fields:
            names = [str(name) for name in fields if not str(name).startswith("_")]
            expected = f"one of its fields: {', '.join(names)}" if names else f"no field: {found!r} has none"
            raise ConfigError(f"{seen}.{part}", got="an unknown field", expected=expected, fix=nearest(part, names))
        found, seen = fields[part], f"{seen}.{part}"
    return found


def _fields_of(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    return vars(value) if is_dataclass(value) else {}


def _check_type(path: str, typed: str, before: Any, after: Any) -> None:
    """Isaac Lab sets a number to a text if it is told to, which fails somewhere else, or nowhere."""
    fits, expected = True, ""
    match before:
        case bool():
            fits, expected = isinstance(after, bool) or after is None, "true or false"
        case int() | float():
            fits, expected = not isinstance(after, (str, bool)), "a number"
    if path == "scene.num_envs":
        fits = isinstance(after, int) and not isinstance(after, bool) and after >= 1
        expected = "an integer of at least 1"
    if not fits:
        raise ConfigError(f"env.{path}", got=repr(typed), expected=expected)
