"""Run as two ranks by test_together.py: trainings in a toy environment."""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import torch

from fleetfoot.algorithms.config import DistillationCfg, LinearCfg, MixingCfg
from fleetfoot.core.distributed import Ranks, join_ranks
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import ConfigError, NonFiniteError, OutputError
from fleetfoot.runners.config import DistillationRunnerCfg
from fleetfoot.runners.distillation import DistillationRunner
from fleetfoot.runners.on_policy import OnPolicyRunner

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
CFG = torch.load(sys.argv[2], weights_only=False)


class Reports:
    """A writer that remembers, and may ask for the end."""

    def __init__(self):
        self.runner, self.run, self.written = None, None, []

    def start(self, run):
        self.run = run

    def write(self, report):
        self.written.append(report)

    def add_video(self, path, iteration): ...

    def close(self, status): ...


class Toy:
    """Says on the second rank what it does not say on the first, and asks for the end, or spoils a reward, there."""

    def __init__(self, num_envs: int = 4, *, bad_from: int = 10**6, stop_at: int = 10**6):
        self._env, self._steps, self._bad_from, self._stop_at = ToyEnv(num_envs), 0, bad_from, stop_at
        self.runner = None

    def __getattr__(self, name):
        return getattr(self._env, name)

    def step(self, actions):
        self._steps += 1
        result = self._env.step(actions)
        metrics = {"Metrics/rank": torch.tensor(float(rank))} | ({"Metrics/second": torch.ones(())} if rank else {})
        result = replace(result, metrics=metrics)
        if rank == 1 and self._steps == self._stop_at:
            self.runner.request_stop()
        if rank == 1 and self._steps >= self._bad_from:
            result.reward[:2] = torch.nan
        return result


def make(ranks: Ranks, env=None, log_dir: Path | None = None) -> tuple[OnPolicyRunner, Reports]:
    reports = Reports()
    runner = OnPolicyRunner(env or Toy(), CFG, log_dir, writer=reports, ranks=ranks)
    runner.env.runner = runner
    return runner, reports


def train(ranks: Ranks) -> dict:
    """Four iterations, and what of it is seen where."""
    runner, reports = make(ranks, log_dir=folder / "whole")
    runner.learn(4, init_at_random_ep_len=True)
    runner.save(folder / "whole.pt")
    return {
        "networks": {name: network.state_dict() for name, network in runner.algorithm.networks.items()},
        "rate": runner.algorithm.learning_rate,
        "scalars": runner.scalars,
        "counts": (runner.iteration, runner.env_steps),
        "reports": [report.env_steps for report in reports.written],
        "num_envs": reports.run.num_envs if reports.run else None,
        "fps": [(report.scalars["Perf/total_fps"], report.timings.iteration) for report in reports.written],
        "x": runner.env._x,
    }


def resume(ranks: Ranks) -> None:
    """The same four, in two halves."""
    first, _ = make(ranks)
    first.learn(2, init_at_random_ep_len=True)
    first.save(folder / "half.pt")
    second, _ = make(ranks)
    second.load(folder / "half.pt")
    second.learn(2, init_at_random_ep_len=True)
    second.save(folder / "halves.pt")


def save_and_load_at_once(ranks: Ranks) -> tuple[int, str]:
    """What was saved is there for both; what cannot be saved, neither believes to be."""
    one, _ = make(ranks)
    other, _ = make(ranks)
    one.learn(1)
    one.save(folder / "at_once.pt")
    other.load(folder / "at_once.pt")
    try:
        one.save(folder / "at_once.pt" / "below_a_file.pt")
    except OutputError as error:
        return other.iteration, error.where
    return other.iteration, ""


def take_over_another(ranks: Ranks, path: Path) -> dict:
    """A run of one process goes on with two."""
    runner, _ = make(ranks)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        runner.load(path)
    state = runner.algorithm.state_dict()
    drawn = {"exploration": state["exploration"], "mirroring": state["extensions"]["symmetry"]["generator"]}
    runner.learn(1)
    return {"said": [str(warning.message) for warning in said], "at": runner.iteration, **drawn}


def distil(ranks: Ranks, teacher: Path) -> dict:
    """Four iterations with a teacher, and the same in two halves."""
    cfg = DistillationRunnerCfg(
        experiment_name="student",
        num_steps_per_env=6,
        algorithm=DistillationCfg(num_mini_batches=2, mixing=MixingCfg(schedule=LinearCfg(iterations=4))),
        student=CFG.actor,
        teacher=CFG.actor,
    )

    def begin() -> DistillationRunner:
        runner = DistillationRunner(Toy(), cfg, ranks=ranks)
        runner.env.runner = runner
        return runner

    whole, first = begin(), begin()
    whole.load_teacher(teacher)
    whole.learn(4)
    whole.save(folder / "distilled.pt")
    first.load_teacher(teacher)
    first.learn(2)
    first.save(folder / "half_distilled.pt")
    second = begin()
    second.load(folder / "half_distilled.pt")
    second.learn(2)
    second.save(folder / "distilled_in_halves.pt")
    return {name: network.state_dict() for name, network in whole.algorithm.networks.items()}


def stop(ranks: Ranks) -> int:
    runner, _ = make(ranks, Toy(stop_at=15))  # in the third iteration
    runner.learn(100)
    return runner.iteration


def error_of(ranks: Ranks, env: Toy) -> str:
    try:
        make(ranks, env)[0].learn(10)
    except (ConfigError, NonFiniteError) as error:
        return str(error)
    return ""


with join_ranks("cpu") as joined:
    found = {"trained": train(joined), "other": take_over_another(joined, Path(sys.argv[3])), "stopped": stop(joined)}
    resume(joined)
    found["at once"] = save_and_load_at_once(joined)
    found["distilled"] = distil(joined, Path(sys.argv[3]))
    found["bad"] = error_of(joined, Toy(bad_from=9))
    found["unlike"] = error_of(joined, Toy(4 + rank))
torch.save(found | {"folder": folder}, folder / f"{rank}.pt")
