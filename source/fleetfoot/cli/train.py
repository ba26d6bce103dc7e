"""`train.py`: parse, build, run, close."""

from __future__ import annotations

import signal
from argparse import Namespace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import Plan, make_plan
from fleetfoot.cli.run_folder import new_run_folder, run_folder_of, write_params
from fleetfoot.core.config import encode
from fleetfoot.errors import ConfigError
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.on_policy import OnPolicyRunner

__all__ = ["train"]


def train(arguments: Arguments) -> int:
    """Train a policy, export it, film it; returns the exit status."""
    plan = make_plan(arguments)
    console = Console()
    with console.stage("import torch"):
        from fleetfoot.algorithms.build import check_config
    with console.stage(f"make {plan.env_cfg.scene.num_envs} environments of {plan.task.name}"):
        env = _make_env(plan)
    try:
        check_config(env, plan.agent_cfg)
        folder = _run_folder(plan, resume=arguments.flags.resume)
        if arguments.flags.video:
            env = _filmed(env, plan, folder, arguments.flags, console)
        return _train_in(env, plan, folder, arguments.flags, console)
    finally:
        env.close()


def _make_env(plan: Plan) -> VecEnv:
    from fleetfoot.cli.device import resolve_device

    return plan.task.make_env(plan.env_cfg, device=resolve_device(plan.device), seed=plan.agent_cfg.seed)


def _run_folder(plan: Plan, *, resume: bool) -> Path:
    """The folder of the run that goes on, or a new one; with the configs in it."""
    folder = run_folder_of(plan.checkpoint) if resume and plan.checkpoint else new_run_folder(plan)
    write_params(folder, plan)
    return folder


def _filmed(env: VecEnv, plan: Plan, folder: Path, flags: Namespace, console: Console) -> VecEnv:
    from fleetfoot.envs.video import VideoRecorder

    return VideoRecorder(
        env,
        folder=folder / "videos" / "train",
        length=flags.video_length,
        interval=flags.video_interval,
        first_step=plan.iterations_done * plan.agent_cfg.num_steps_per_env,
        report=console.message,
    )


def _train_in(env: VecEnv, plan: Plan, folder: Path, flags: Namespace, console: Console) -> int:
    resume = bool(flags.resume)
    with console.stage("build the networks"):
        runner = _make_runner(env, plan, folder, console)
        if plan.checkpoint:
            runner.load(plan.checkpoint, optimizer=resume, environment=resume)
    remaining = plan.agent_cfg.max_iterations - runner.iteration
    if remaining <= 0:
        raise ConfigError(
            "--max_iterations",
            got=f"{plan.agent_cfg.max_iterations}, and the checkpoint has done {runner.iteration}",
            expected="more than the checkpoint has done",
            fix=f"Pass --max_iterations {runner.iteration + plan.agent_cfg.max_iterations}, say.",
        )
    return _learn(runner, remaining, plan, folder, console, flags)


def _learn(
    runner: OnPolicyRunner, iterations: int, plan: Plan, folder: Path, console: Console, flags: Namespace
) -> int:
    """The training itself, which Ctrl-C and SIGTERM end after the iteration in progress."""
    from fleetfoot.cli.wrap_up import wrap_up

    received = _stop_on_signals(runner, console)
    status = "failed"
    try:
        runner.learn(iterations, init_at_random_ep_len=True)
        status = "interrupted" if received else "finished"
        wrap_up(runner, plan, folder, console, status, with_film=not flags.no_final_video)
    finally:
        runner.close(status)
    return 128 + received[0] if received else 0


def _make_runner(env: VecEnv, plan: Plan, folder: Path, console: Console) -> OnPolicyRunner:
    from fleetfoot.runners.logging.build import file_writers
    from fleetfoot.runners.on_policy import OnPolicyRunner

    metadata = {"task": plan.task.name, "agent_name": plan.agent_name, "env": encode(plan.env_cfg)}
    writer = file_writers(plan.agent_cfg, beside=(console,), report=console.message)
    return OnPolicyRunner(env, plan.agent_cfg, folder, env.device, writer=writer, metadata=metadata)


def _stop_on_signals(runner: OnPolicyRunner, console: Console) -> list[int]:
    """From now on the first signal stops the training in order, the second at once; returns where it is noted."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        runner.stop_requested = True
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        console.message(f"{signal.Signals(number).name}: saving after this iteration (once more: stop at once)")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return received
