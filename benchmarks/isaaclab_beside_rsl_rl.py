"""Training in Isaac Lab, ours beside rsl_rl's: what is learned after the same steps, and what a learner costs.

Both are run as their users run them, `scripts/train.py` and `isaaclab train --rl_library rsl_rl`, from the agent that
the task has, in turns, each run in a process of its own. The simulator's `step` is wrapped, alike for both, and
nothing else is touched: it says how long it took, how long it was until it was called again (what the learner did
meanwhile: acting, storing, learning, writing logs), and which episodes ended with what. How an episode is scored is
therefore the same for both.

    python benchmarks/isaaclab_beside_rsl_rl.py [--tasks Isaac-Cartpole-Direct:256:60 Isaac-Ant-Direct:256:150] \
        [--seeds 1 2 3] [--device cpu] [--folder build/isaaclab_beside_rsl_rl] [--plot docs/images/…]

`--tasks` takes NAME:ENVIRONMENTS:ITERATIONS. Every run leaves its raw numbers in the folder as JSON; a run that is
there already is not made again, so a measurement that was stopped goes on, and one that is complete is only shown.

Needs Isaac Lab 3 with `rsl-rl-lib==5.5.1` and matplotlib, and its assets, from their server or from a folder that
`ISAACSIM_ASSET_ROOT` names (`python tests/isaaclab/assets.py FOLDER` makes one for these two tasks).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "isaaclab_beside_rsl_rl"
LEARNERS = ("fleetfoot", "rsl_rl")
COLOURS = {"fleetfoot": "tab:blue", "rsl_rl": "tab:orange"}
WINDOW = 100
"""Episodes that a mean return goes over: the last that ended, as both learners' own logs have it."""


@dataclass(frozen=True)
class Task:
    """What both learners are given."""

    name: str
    num_envs: int
    iterations: int


@dataclass(frozen=True)
class Run:
    """What came of it, one number an iteration."""

    env_steps: list[int]
    returns: list[float]
    lengths: list[float]
    simulator: list[float]
    """Seconds in the simulator's step; without the first iteration, which warms up, and the last, which saves."""
    learner: list[float]
    """Seconds in everything else."""
    simulator_cpu: list[float]
    """The same in seconds of the processor, over all threads."""
    learner_cpu: list[float]


def main() -> None:
    """Make the runs that are missing; draw and print what came of all."""
    if sys.argv[1:2] == ["--metered"]:
        sys.exit(metered(sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
    parser = argparse.ArgumentParser(description="Training in Isaac Lab, ours beside rsl_rl's.")
    tasks = [Task("Isaac-Cartpole-Direct", 256, 60), Task("Isaac-Ant-Direct", 256, 150)]
    parser.add_argument("--tasks", type=task_of, nargs="+", default=tasks, metavar="NAME:ENVIRONMENTS:ITERATIONS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--plot", type=Path, default=None, help="a file; by default in the folder")
    flags = parser.parse_args()
    runs: dict[tuple[Task, str], list[Run]] = {}
    for task in flags.tasks:
        for index, seed in enumerate(flags.seeds):
            # Who begins takes turns too.
            for learner in LEARNERS if index % 2 == 0 else LEARNERS[::-1]:
                run = run_of(flags.folder, task, learner, seed, flags.device)
                runs.setdefault((task, learner), []).append(run)
    print(table(flags.tasks, runs))
    draw(flags.tasks, runs, flags.plot or flags.folder / "returns.png")


def task_of(text: str) -> Task:
    """`NAME:ENVIRONMENTS:ITERATIONS`."""
    name, num_envs, iterations = text.split(":")
    return Task(name, int(num_envs), int(iterations))


def run_of(folder: Path, task: Task, learner: str, seed: int, device: str) -> Run:
    """The run as it was measured, now or before."""
    name = f"{task.name}_{task.num_envs}_{task.iterations}_{device.replace(':', '')}_{learner}_{seed}"
    path = folder.resolve() / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"{name}, load {os.getloadavg()[0]:.1f}", flush=True)
        flags = {"task": task.name, "num_envs": task.num_envs, "max_iterations": task.iterations, "seed": seed}
        words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
        # Threads that wait do not take the cores from the other learner's: as fleetfoot has it anyway.
        variables = {"OMP_WAIT_POLICY": "passive", **os.environ}
        command = [sys.executable, str(Path(__file__).resolve()), "--metered", learner, str(path), *words]
        with (folder / f"{name}.log").open("w") as log:
            subprocess.run(
                [*command, "--device", device], cwd=folder, env=variables, stdout=log, stderr=log, check=True
            )
    return summarise(json.loads(path.read_text()), task)


def metered(learner: str, path: Path, words: list[str]) -> int:
    """Run a learner's own command in this process, and write down what the simulator saw of it."""
    import gymnasium

    meter, make = Meter(), gymnasium.make

    def make_metered(*args: Any, **kwargs: Any) -> Any:
        env = make(*args, **kwargs)
        env.unwrapped.step = meter.wrap(env.unwrapped.step, str(env.unwrapped.device))
        return env

    gymnasium.make = make_metered
    load = os.getloadavg()[0]
    status = train(learner, words)
    if status == 0:
        path.write_text(json.dumps({"words": words, "load": [load, os.getloadavg()[0]], **vars(meter)}))
    return status


def train(learner: str, words: list[str]) -> int:
    """What the learner's users type."""
    if learner == "fleetfoot":
        sys.path[:0] = [str(ROOT / folder) for folder in ("source", "extension")]
        from fleetfoot.cli.main import main as fleetfoot

        return fleetfoot(["train", "--sim", "isaaclab", "--no_final_video", *words])
    from isaaclab_rl.entrypoints.dispatch import run_train_cli

    device = words[words.index("--device") + 1]
    return run_train_cli(["--rl_library", "rsl_rl", *words, f"agent.device={device}"])


class Meter:
    """Times of the simulator's steps, and the episodes that ended in them."""

    def __init__(self) -> None:
        self.begin: list[tuple[float, float]] = []
        """When a step began: wall clock, and the processor's time so far [s]."""
        self.end: list[tuple[float, float]] = []
        """When it ended."""
        self.back: list[tuple[float, float]] = []
        """When the learner got its result: in between, this class took notes."""
        self.episodes: list[tuple[int, float, int]] = []
        """Number of the step it ended in, return, length."""

    def wrap(self, step: Callable[[Any], Any], device: str) -> Callable[[Any], Any]:
        """The step, watched."""
        import numpy as np
        import torch

        so_far: list[Any] = []  # return and length of each environment's episode

        def now() -> tuple[float, float]:
            if device.startswith("cuda"):
                torch.cuda.synchronize(device)
            return time.perf_counter(), time.process_time()

        def watched(actions: Any) -> Any:
            self.begin.append(now())
            result = step(actions)
            self.end.append(now())
            reward = result[1].detach().cpu().numpy().astype(np.float64)
            done = (result[2] | result[3]).cpu().numpy()
            if not so_far:
                so_far.extend((np.zeros_like(reward), np.zeros_like(done, dtype=np.int64)))
            so_far[0] += reward
            so_far[1] += 1
            self.episodes += [(len(self.end), float(so_far[0][i]), int(so_far[1][i])) for i in np.flatnonzero(done)]
            for numbers in so_far:
                numbers[done] = 0
            self.back.append(now())
            return result

        return watched


def summarise(raw: dict[str, Any], task: Task) -> Run:
    """Numbers of each iteration from those of each step."""
    steps = len(raw["begin"]) // task.iterations  # of an iteration
    episodes, last = deque(raw["episodes"]), deque(maxlen=WINDOW)
    env_steps, returns, lengths = [], [], []
    for iteration in range(1, task.iterations + 1):
        while episodes and episodes[0][0] <= iteration * steps:
            last.append(episodes.popleft())
        if last:
            env_steps.append(iteration * steps * task.num_envs)
            returns.append(statistics.fmean(episode[1] for episode in last))
            lengths.append(statistics.fmean(episode[2] for episode in last))
    seconds: dict[str, list[float]] = {}
    for clock, suffix in ((0, ""), (1, "_cpu")):
        begin, end, back = ([moment[clock] for moment in raw[name]] for name in ("begin", "end", "back"))
        for first in range(steps, (task.iterations - 1) * steps, steps):
            its = range(first, first + steps)
            seconds.setdefault(f"simulator{suffix}", []).append(sum(end[i] - begin[i] for i in its))
            seconds.setdefault(f"learner{suffix}", []).append(sum(begin[i + 1] - back[i] for i in its))
    return Run(env_steps, returns, lengths, **seconds)


def table(tasks: list[Task], runs: dict[tuple[Task, str], list[Run]]) -> str:
    """Markdown: a line for each task and learner; means over the seeds, and the lowest and highest of them."""
    lines = [
        "| task, environments, steps | learner | return at the end | mean of all iterations | episode length "
        "| simulator [s] | learner [s] | learner / simulator | learner [CPU s] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for task in tasks:
        for learner in LEARNERS:
            its = runs[task, learner]
            what = f"{task.name}, {task.num_envs}, {its[0].env_steps[-1] / 1e6:.2f} M"
            end = ranged([run.returns[-1] for run in its])
            area = ranged([statistics.fmean(run.returns) for run in its])
            lengths = ranged([run.lengths[-1] for run in its], 0)
            simulator = ranged([statistics.median(run.simulator) for run in its], 3)
            seconds = ranged([statistics.median(run.learner) for run in its], 3)
            shares = [statistics.median(run.learner) / statistics.median(run.simulator) for run in its]
            cpu = ranged([statistics.median(run.learner_cpu) for run in its], 3)
            cells = [what, learner, end, area, lengths, simulator, seconds, ranged(shares), cpu]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ranged(values: list[float], digits: int = 2) -> str:
    """Mean, and in brackets the lowest and the highest."""
    mean, low, high = (f"{value:.{digits}f}" for value in (statistics.fmean(values), min(values), max(values)))
    return f"{mean} ({low}, {high})"


def draw(tasks: list[Task], runs: dict[tuple[Task, str], list[Run]], path: Path) -> None:
    """A panel for each task: return over environment steps; a thin line for each seed, a thick one for their mean."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(tasks), figsize=(5.5 * len(tasks), 3.8), squeeze=False)
    for panel, task in zip(panels[0], tasks, strict=True):
        for learner in LEARNERS:
            its = runs[task, learner]
            for run in its:
                panel.plot(
                    [steps / 1e6 for steps in run.env_steps],
                    run.returns,
                    color=COLOURS[learner],
                    linewidth=0.8,
                    alpha=0.5,
                )
            both = [dict(zip(run.env_steps, run.returns, strict=True)) for run in its]
            common = sorted(set.intersection(*(set(numbers) for numbers in both)))
            means = [statistics.fmean(numbers[steps] for numbers in both) for steps in common]
            panel.plot([steps / 1e6 for steps in common], means, color=COLOURS[learner], linewidth=2, label=learner)
        panel.set_title(f"{task.name}, {task.num_envs} environments, runs: {len(its)} each", fontsize=10)
        panel.set_xlabel("million environment steps")
        panel.set_ylabel(f"return of the last {WINDOW} episodes")
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
