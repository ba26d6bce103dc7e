"""Makes docs/isaaclab_tasks.md: of every task that Isaac Lab registers, whether it trains with fleetfoot, or why not.

    ISAACSIM_ASSET_ROOT=… python tests/isaaclab/tasks_table.py [--build FOLDER] [--only NAME …] > docs/isaaclab_tasks.md

With `--build` the environment of each task that has an agent is made as well, with two robots, on a CPU, each in a
process of its own with a time limit; what it then lacks are mostly assets, which are on a server. What came of each is
left in the folder, with its log, and is not tried again: a table that was stopped goes on.
"""

import argparse
import os
import subprocess
import sys
import textwrap
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from fleetfoot.errors import ConfigError
from fleetfoot.tasks.simulators import Request
from fleetfoot_isaaclab.env_cfg import resolve
from fleetfoot_isaaclab.simulator import SIMULATOR

_OURS = ("Anymal-Flat", "Anymal-Rough")
_OUTCOME = "outcome: "
"""Begins the line that says whether an environment was made: Isaac Lab and Warp print as well."""
_HEAD = """# Isaac Lab's tasks

Made by `tests/isaaclab/tasks_table.py`, with Isaac Lab {version}. An agent is there if the config that the task has for
rsl_rl is translated and its algorithm is one of ours; the physics is what the task takes by default.

{translated} of {total} tasks have an agent for fleetfoot, {agents} agents together.{built}

| task | agents | physics | environment | why not |
|---|---|---|---|---|"""
_BUILT = """

"Made": the environment was made and stepped on a CPU with Newton's physics, with the assets that
`tests/isaaclab/assets.py` makes. What stands there instead is why that failed; an asset that is missing lies on Isaac
Lab's server."""


def main() -> None:
    from importlib.metadata import version

    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, metavar="FOLDER", help="make the environments as well")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that making one may take")
    parser.add_argument("--only", nargs="*", help="these tasks alone")
    parser.add_argument("--make", nargs="+", help="make the environment of this one task, with these presets: no table")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.make:
        say_whether_made(args.make[0], tuple(args.make[1:]))
        return
    names = [name for name in SIMULATOR.task_names() if name not in _OURS and (not args.only or name in args.only)]
    rows = [_row(name, args.build, args.limit) for name in names]
    translated = [agents for _, agents, *_ in rows if agents]
    head = _HEAD.format(
        version=version("isaaclab"),
        translated=len(translated),
        total=len(rows),
        agents=sum(map(len, translated)),
        built=_BUILT if args.build else "",
    )
    print(head)
    for name, agents, *rest in rows:
        print(f"| {name} | {', '.join(agents)} | {' | '.join(rest)} |")


def say_whether_made(name: str, words: tuple[str, ...]) -> None:
    """Make the task's environment with two robots, step it, and say on a line of its own what came of it."""
    outcome = ", ".join(("made", *words))
    try:
        task = SIMULATOR.find_task(name, Request(words=words))
        assert task is not None
        cfg = task.cfgs.override(task.env_cfg(), {"scene.num_envs": "2"})
        env = task.make_env(cfg, device="cpu", seed=1)
        env.step(torch.zeros(2, env.action_spec.size))
        env.close()
    except Exception as error:  # whatever it is, it is what the table is about
        traceback.print_exc()
        outcome = f"{type(error).__name__}: {error}"
    print(f"\n{_OUTCOME}{_one_line(outcome)}", flush=True)


def _row(name: str, folder: Path | None, limit: float) -> tuple[str, list[str], str, str, str]:
    """A task, the agents it has for us, the physics it takes, whether it is made, and why it has no more agents."""
    print(name, file=sys.stderr, flush=True)
    try:
        task = SIMULATOR.find_task(name, Request())
    except ConfigError as error:
        return name, [], "", "", f"{error.got}" if "agent" in str(error.got) else _short(error)
    assert task is not None
    physics = type(resolve(task.env_cfg()).sim.physics).__name__.removesuffix("Cfg")
    agents: list[str] = []
    reasons: list[str] = []
    for agent, outcome in _outcomes(task):
        if outcome:
            reasons.append(f"{agent}: {outcome}")
        else:
            agents.append(agent)
    made = _make(name, physics, folder, limit) if folder and agents else ""
    return name, agents, physics, made, "; ".join(reasons)


def _make(name: str, physics: str, folder: Path, limit: float) -> str:
    """`made`, or why not, as a process of its own says, or said before."""
    kept = folder / f"{name}.txt"
    if kept.exists():
        return kept.read_text()
    folder.mkdir(parents=True, exist_ok=True)
    words = () if "Newton" in physics else ("physics=newton_mjwarp",)
    command = [sys.executable, __file__, "--make", name, *words]
    try:
        with (folder / f"{name}.log").open("w") as log:
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"not made within {limit:g} s"
    said = [line.removeprefix(_OUTCOME) for line in ran.stdout.splitlines() if line.startswith(_OUTCOME)]
    if not said:
        return f"ended with status {ran.returncode}"
    kept.write_text(said[-1])  # what was cut short may go better the next time
    return said[-1]


def _outcomes(task) -> Iterator[tuple[str, str]]:
    for agent, make in task.agents.items():
        if agent.endswith("_cfg_entry_point"):
            continue
        try:
            make()
        except ConfigError as error:
            yield agent, _short(error)
        else:
            yield agent, ""


def _short(error: ConfigError) -> str:
    return _one_line(f"{error.where.rpartition(': ')[2]}: got {error.got}")


def _one_line(text: str) -> str:
    root = os.environ.get("ISAACSIM_ASSET_ROOT", "").rstrip("/")
    return textwrap.shorten(text.replace(f"{root}/", "") if root else text, 160, placeholder=" …").replace("|", "\\|")


if __name__ == "__main__":
    main()
