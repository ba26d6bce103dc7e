"""What the environment costs on top of its physics: control steps per second, raw and with everything.

Raw is `mujoco.batch` alone: the same model, from the same states, as many substeps, its controls rewritten in each
step. Both are timed in turns, since whatever else the machine does hits both alike; the ratio is the median of the
turns' ratios.

    python benchmarks/step_rate.py [--task Anymal-Flat] [--num-envs 256 1024] [--repetitions 9] [--seconds 1.0]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.sim.batch import MujocoBatch
from fleetfoot.tasks.registry import find_task


def main() -> None:
    """Print a table: one line per number of environments."""
    parser = argparse.ArgumentParser(description="Raw physics against the whole environment, in control steps/s.")
    parser.add_argument("--task", default="Anymal-Flat", help="a task that runs over MuJoCo")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of one timing")
    parser.add_argument("--action-std", type=float, default=0.2, help="of the random actions; 1 makes many robots fall")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # torch's threads would spin against MuJoCo's
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {arguments.repetitions} x {arguments.seconds} s")
    print("  envs  raw steps/s  env steps/s  ratio  lowest highest resets/step")
    for num_envs in arguments.num_envs:
        print(measure(arguments.task, num_envs, arguments.repetitions, arguments.seconds, arguments.action_std))


def measure(task: str, num_envs: int, repetitions: int, seconds: float, action_std: float) -> str:
    """One line of the table."""
    env, physics = (_make(task, num_envs) for _ in range(2))
    assert isinstance(physics.sim, MujocoBatch)
    env.episode_length.copy_(torch.randint(env.max_episode_length, (num_envs,)))  # so that episodes end all the time
    mapping = env.task.actions
    actions = action_std * torch.randn(64, num_envs, env.action_spec.size)
    targets = torch.tensor(mapping.offset) + torch.tensor(mapping.scale) * actions
    live = torch.from_numpy(physics.sim.batch.bind("ctrl"))
    batch, decimation = physics.sim.batch, env.task.decimation
    ended: list[float] = []

    def step_env(number: int) -> None:
        result = env.step(actions[number % len(actions)])
        ended.append(0.0 if result.final_obs is None else float((result.terminated | result.truncated).sum()))

    def step_raw(number: int) -> None:
        live.copy_(targets[number % len(actions)])
        batch.step(nstep=decimation)

    rates: list[tuple[float, float]] = []
    for _ in range(repetitions):
        physics.sim.load_state_dict(env.sim.state_dict())  # the same robots in the same poses cost the same
        rates.append((_rate(step_raw, num_envs, seconds), _rate(step_env, num_envs, seconds)))
    ratios = [whole / raw for raw, whole in rates]
    raw, whole = (statistics.median(values) for values in zip(*rates, strict=True))
    spread = f"{statistics.median(ratios):6.3f}  {min(ratios):6.3f} {max(ratios):7.3f}"
    return f"{num_envs:6d} {raw:12.0f} {whole:12.0f} {spread} {statistics.mean(ended):11.2f}"


def _make(name: str, num_envs: int) -> TaskEnv[Any]:
    task = find_task(name)
    cfg = task.env_cfg()
    env = task.make_env(replace(cfg, scene=replace(cfg.scene, num_envs=num_envs)), device="cpu", seed=0)
    assert isinstance(env, TaskEnv)
    return env


def _rate(step: Callable[[int], None], num_envs: int, seconds: float) -> float:
    """Control steps per second of wall time."""
    step(0)
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < seconds:
        count += 1
        step(count)
    return count * num_envs / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
