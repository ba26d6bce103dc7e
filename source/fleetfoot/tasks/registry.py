"""The tasks there are: ours, those of installed packages, and those registered by hand.

A package offers tasks through the entry-point group `fleetfoot.tasks`; each entry names a `TaskSpec`, or several in a
tuple. Nothing is imported before a task is asked for, and listing tasks imports neither torch nor a simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, final

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.env_cfgs import DATACLASSES, EnvCfgs

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.config import RunnerCfg

__all__ = ["ENTRY_POINT_GROUP", "MakeEnv", "TaskSpec", "all_tasks", "find_agent", "find_task", "register", "task_names"]

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)

ENTRY_POINT_GROUP = "fleetfoot.tasks"
_BUILT_IN = (
    ("fleetfoot.tasks.cartpole", "TASK"),
    ("fleetfoot.tasks.cartpole_camera", "TASK"),
    ("fleetfoot.tasks.velocity.task", "TASKS"),
)
_registered: dict[str, TaskSpec[Any]] = {}


class MakeEnv(Protocol[C_contra]):
    """Makes a task's environment."""

    def __call__(self, cfg: C_contra, *, device: torch.device | str, seed: int) -> VecEnv:
        """Make it.

        Args:
            cfg: The environment's config.
            device: Where the tensors live.
            seed: Everything random follows from it, unless the config has a seed of its own.
        """
        ...


@final
@dataclass(frozen=True, kw_only=True)
class TaskSpec(Generic[C]):
    """A task by name. Importing the module that holds it must import no torch and no simulator."""

    name: str
    summary: str
    """One line for the list of tasks."""
    env_cfg: Callable[[], C]
    """The environment's config as it is when nothing is overridden."""
    make_env: MakeEnv[C]
    """From the config to the environment; this may import what it likes."""
    agents: Mapping[str, Callable[[], RunnerCfg]]
    """Name of an agent, as `ppo`, to its whole config."""
    default_agent: str = "ppo"
    """The agent that trains when none is named."""
    play_mode: Callable[[C], C]
    """The config to watch or judge a policy in: no noise, no disturbances."""
    cfgs: EnvCfgs[C] = DATACLASSES
    """How its configs are changed and kept."""
    simulator: str = "mujoco"
    """What simulates it, as `--sim` names it."""
    default_device: str = "cpu"
    """Where it runs when nothing is asked for."""
    one_at_a_time: bool = False
    """Whether a process can have but one environment of it at a time: one is closed before another is made."""


def register(spec: TaskSpec[Any]) -> None:
    """Add a task for this process.

    Raises:
        ConfigError: There is another task of that name.
    """
    if _registered.get(spec.name, spec) is not spec or spec.name in _found():
        raise ConfigError("task.name", got=repr(spec.name), expected="a name that is not taken", fix="Rename it.")
    _registered[spec.name] = spec


def all_tasks() -> dict[str, TaskSpec[Any]]:
    """Every task by its name, sorted."""
    return dict(sorted({**_found(), **_registered}.items()))


def task_names() -> list[str]:
    """The name of every task, sorted."""
    return list(all_tasks())


def find_task(name: str) -> TaskSpec[Any]:
    """The task of that name.

    Raises:
        ConfigError: There is none; offers the nearest.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise ConfigError("--task", got=repr(name), expected="the name of a task", fix=nearest(name, tasks))
    return tasks[name]


def find_agent(spec: TaskSpec[Any], name: str) -> Callable[[], RunnerCfg]:
    """What makes the config of a task's agent.

    Raises:
        ConfigError: The task has no such agent; offers the nearest.
    """
    if name not in spec.agents:
        expected = f"an agent of {spec.name}"
        raise ConfigError("--agent", got=repr(name), expected=expected, fix=nearest(name, spec.agents))
    return spec.agents[name]


@cache
def _found() -> dict[str, TaskSpec[Any]]:
    """Our tasks and those of installed packages."""
    specs: list[TaskSpec[Any]] = []
    for module, name in _BUILT_IN:
        specs.extend(_loaded(module, vars(import_module(module))[name]))
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        specs.extend(_loaded(f"entry point {ENTRY_POINT_GROUP}: {entry.name}", entry.load()))
    return {spec.name: spec for spec in specs}


def _loaded(where: str, value: object) -> Iterable[TaskSpec[Any]]:
    specs = value if isinstance(value, tuple) else (value,)
    for spec in specs:
        if not isinstance(spec, TaskSpec):
            expected = "a TaskSpec, or a tuple of them"
            raise ConfigError(where, got=type(spec).__name__, expected=expected)
        yield spec
