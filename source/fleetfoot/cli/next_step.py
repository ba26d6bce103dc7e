"""What to type next, in the words that this process was started with.

`./isaaclab.sh -p scripts/play.py …` where the launcher was typed, `python scripts/play.py …` where a script was run
without it, `python -m fleetfoot play …` for the module, and `fleetfoot play …` for the console command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleetfoot.cli.arguments import COMMANDS, Command

if TYPE_CHECKING:
    from fleetfoot.cli.plan import Plan
    from fleetfoot.core.distributed import Ranks

__all__ = ["LAUNCHER", "how_to_go_on", "how_to_play"]

LAUNCHER = "FLEETFOOT_LAUNCHER"
"""The variable in which the launcher says how it was typed, `./isaaclab.sh -p`."""


def how_to_play(plan: Plan, folder: Path) -> str:
    """What to type to see the policy of a run folder."""
    return " ".join([*_command("play"), *_flags(plan, folder)])


def how_to_go_on(plan: Plan, folder: Path, ranks: Ranks) -> str:
    """What to type to go on with the training of a run folder, on as many ranks."""
    together = ["--distributed"] if ranks.launcher else []
    return " ".join([*_command("train", ranks.launcher.split()), *_flags(plan, folder, "--resume"), *together])


def _command(command: Command, ranks: Sequence[str] = ()) -> list[str]:
    """The words before the flags; `ranks` are those that start several of them."""
    launcher, started = os.environ.get(LAUNCHER), Path(sys.argv[0])
    script = started.with_name(f"{command}.py")
    is_script = started.name in {f"{name}.py" for name in COMMANDS} and script.is_file()
    if is_script and launcher and not ranks:
        return [launcher, f"scripts/{command}.py"]  # it looks for a script in its clone too
    if is_script:
        return [launcher or _python(), *ranks, shlex.quote(str(script))]
    if launcher or ranks or started.name == "__main__.py":
        return [launcher or _python(), *ranks, "-m", "fleetfoot", command]
    return ["fleetfoot", command]


def _python() -> str:
    """The interpreter at work, by its short name where that is it."""
    found = shutil.which("python")
    return "python" if found and Path(found).parent == Path(sys.executable).parent else shlex.quote(sys.executable)


def _flags(plan: Plan, folder: Path, *added: str) -> list[str]:
    device = [] if plan.device == plan.task.default_device else ["--device", plan.device]
    return ["--task", shlex.quote(plan.task.name), *added, "--checkpoint", shlex.quote(str(folder)), *device]
