"""`fleetfoot COMMAND …`: choose the command, and turn errors into one sentence and an exit status.

Exit status: 0 done, 2 something the user can put right, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import assert_never

from fleetfoot import __version__
from fleetfoot.cli.arguments import COMMANDS, Arguments, Command, find_command, parse
from fleetfoot.errors import FleetfootError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; `argv` begins with its name."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except FleetfootError as error:
        print(" ".join([f"error: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)  # a note: which rank
        return 2
    except KeyboardInterrupt:
        return 130


def script(command: Command) -> int:
    """What `scripts/<command>.py` calls."""
    return main([command, *sys.argv[1:]])


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"fleetfoot {__version__}")
        return 0
    arguments = parse(find_command(words[0]), words[1:])
    if arguments.command in ("migrate", "list_tasks") or arguments.flags.help:
        arguments.refuse_words()  # no simulator is asked about them
    if arguments.flags.help:
        return _help(arguments)
    _settle_threads()
    return _dispatch(arguments)


def _dispatch(arguments: Arguments) -> int:
    match arguments.command:
        case "train":
            from fleetfoot.cli.train import train as run
        case "play":
            from fleetfoot.cli.play import play as run
        case "evaluate":
            from fleetfoot.cli.evaluate import evaluate as run
        case "export":
            from fleetfoot.cli.export import export as run
        case "migrate":
            from fleetfoot.cli.migrate import migrate as run
        case "list_tasks":
            from fleetfoot.cli.list_tasks import list_tasks as run
        case _:
            assert_never(arguments.command)
    return run(arguments)


def _help(arguments: Arguments) -> int:
    from fleetfoot.cli.help import help_text
    from fleetfoot.tasks.registry import all_tasks, find_agent
    from fleetfoot.tasks.simulators import Request, choose_task

    flags = arguments.flags
    name = getattr(flags, "task", None) or next(iter(all_tasks()))
    _, task = choose_task(name, getattr(flags, "sim", "auto"), Request(words=arguments.words))
    agent = getattr(flags, "agent", None) or task.default_agent
    find_agent(task, agent)
    width = min(max(shutil.get_terminal_size().columns, 80), 120)
    print(help_text(arguments.command, task, agent, width))
    return 0


def _overview() -> str:
    rows = [f"  {name.replace('_', '-'):<12}{text}" for name, text in COMMANDS.items()]
    return "\n".join(["usage: fleetfoot COMMAND [--help] ...", "", *rows])


def _settle_threads() -> None:
    """Let waiting OpenMP threads sleep.

    By default they spin, and with the simulator's threads on the same cores an update that takes 0.3 s was seen to take
    20 s. The variables count only if they are set before torch is imported; what the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
