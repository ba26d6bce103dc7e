"""`list_tasks.py`: what can be trained."""

from __future__ import annotations

from fleetfoot.cli.arguments import Arguments
from fleetfoot.tasks.registry import all_tasks
from fleetfoot.tasks.simulators import MUJOCO, find_simulators

__all__ = ["list_tasks"]


def list_tasks(arguments: Arguments) -> int:
    """Print the tasks of every simulator that is installed, or of one; of ours also the agents and a line about each.

    The others have too many, and would have to load the config of each.
    """
    for simulator in find_simulators(arguments.flags.sim):
        if simulator is MUJOCO:
            _print_ours()
        else:
            print(f"# --sim {simulator.name}", *simulator.task_names(), sep="\n")
    return 0


def _print_ours() -> None:
    print(f"# --sim {MUJOCO.name}")
    tasks = all_tasks().values()
    width = max(len(task.name) for task in tasks)
    for task in tasks:
        print(f"{task.name:<{width}}  {task.summary}")
        print(f"{'':<{width}}  agents: {', '.join(task.agents)}")
