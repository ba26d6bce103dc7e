"""`list_tasks.py`: what can be trained."""

from __future__ import annotations

from fleetfoot.cli.arguments import Arguments
from fleetfoot.tasks.registry import all_tasks

__all__ = ["list_tasks"]


def list_tasks(arguments: Arguments) -> int:
    """Print every task with its agents and one line about it."""
    tasks = all_tasks().values()
    width = max(len(task.name) for task in tasks)
    for task in tasks:
        print(f"{task.name:<{width}}  {task.summary}")
        print(f"{'':<{width}}  agents: {', '.join(task.agents)}")
    return 0
