"""Where a task comes from: the embedded MuJoCo, or a simulator that is installed beside it.

    --task Anymal-Flat                    whichever of them has it, the first in the order below
    --task Anymal-Flat --sim mujoco       that one
    --task gymnasium:HalfCheetah-v5       Gymnasium's names say so themselves
    --task HalfCheetah-v5 --sim gymnasium the same

A simulator is loaded when it is asked for a task and its package is installed, not before. Those of other packages are
named here and not imported: what imports them lies in `extension/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, final

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.registry import TaskSpec, all_tasks

__all__ = ["MUJOCO", "SIM_NAMES", "Request", "SimName", "Simulator", "choose_task", "find_simulators"]

SimName = Literal["auto", "isaaclab", "mjlab", "gymnasium", "mujoco"]
SIM_NAMES: Final[tuple[SimName, ...]] = ("auto", "isaaclab", "mjlab", "gymnasium", "mujoco")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a simulator has to know before its task is made."""

    words: tuple[str, ...] = ()
    """What was typed and is neither a flag nor an override of ours, in its order: the simulator's own."""
    films: bool = False
    """Whether pictures are wanted while it runs."""
    is_distributed: bool = False
    """Whether this is one of several processes."""
    is_asked_alone: bool = False
    """Whether it was chosen by its name, so that no other one is asked for the task."""


class Simulator(Protocol):
    """What simulates tasks."""

    name: str
    """As `--sim` names it."""
    takes_words: bool
    """Whether there are words on the command line that it alone understands."""

    def task_names(self) -> Sequence[str]:
        """The name of every task it has."""
        ...

    def find_task(self, name: str, request: Request) -> TaskSpec[Any] | None:
        """The task of that name; None if it has none.

        Raises:
            ConfigError: It has one, and not with what was typed; or this version of it is not supported.
        """
        ...


@final
class _MuJoCo:
    """The tasks of the registry, in the embedded simulator."""

    name = "mujoco"
    takes_words = False

    def task_names(self) -> Sequence[str]:
        return list(all_tasks())

    def find_task(self, name: str, request: Request) -> TaskSpec[Any] | None:
        return all_tasks().get(name)


MUJOCO: Final[Simulator] = _MuJoCo()

# What has to be installed, and where the simulator is; asked in this order.
_OTHERS: Final[Mapping[SimName, tuple[str, str]]] = MappingProxyType(
    {
        "isaaclab": ("isaaclab", "fleetfoot_isaaclab.simulator"),
        "mjlab": ("mjlab", "fleetfoot_mjlab.simulator"),
        "gymnasium": ("gymnasium", "fleetfoot.tasks.gym.simulator"),
    }
)


def find_simulators(sim: SimName = "auto") -> list[Simulator]:
    """Those that a task is looked for in, in this order: that one, or all that are installed, the embedded one last.

    Raises:
        ConfigError: It is not installed.
    """
    if sim == "auto":
        return [*(_load(other) for other in _OTHERS if _missing(other) is None), MUJOCO]
    if sim not in _OTHERS:
        return [MUJOCO]
    if missing := _missing(sim):
        fix = "Run this in the environment that has it, or leave the flag away."
        raise ConfigError("--sim", got=sim, expected=f"a simulator that is installed: no {missing} here", fix=fix)
    return [_load(sim)]


def choose_task(name: str, sim: SimName, request: Request) -> tuple[Simulator, TaskSpec[Any]]:
    """The task, and what simulates it.

    Args:
        name: The task's.
        sim: What has to simulate it; `auto` for the first that has it.
        request: What the simulator has to know.

    Raises:
        ConfigError: There is no such task (the nearest is offered), or the simulator is not installed.
    """
    simulators = find_simulators(sim)
    request = replace(request, is_asked_alone=sim != "auto")
    for simulator in simulators:
        task = simulator.find_task(name, request)
        if task is not None:
            return simulator, task
    known = [task for simulator in simulators for task in simulator.task_names()]
    expected = "the name of a task" if sim == "auto" else f"the name of a task of {sim}"
    raise ConfigError("--task", got=repr(name), expected=expected, fix=nearest(name, known))


def _missing(sim: SimName) -> str | None:
    """The package that is not installed and that it takes: its own, or our side of it; None if both are there."""
    package, module = _OTHERS[sim]
    return next((name for name in (package, module.partition(".")[0]) if find_spec(name) is None), None)


def _load(sim: SimName) -> Simulator:
    return import_module(_OTHERS[sim][1]).SIMULATOR
