"""`train.py`: parse, build, run, close."""

from __future__ import annotations

import os
import shlex
import signal
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import Plan, make_plan
from fleetfoot.cli.run_folder import new_run_folder, run_folder_of, write_params
from fleetfoot.cli.signals import stop_in_order, unwind_on_sigterm
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.distributed import Ranks
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.runner import Runner

__all__ = ["train"]


def train(arguments: Arguments) -> int:
    """Train a policy, export it, film it; returns the exit status."""
    plan, flags = make_plan(arguments), arguments.flags
    with unwind_on_sigterm(), _join(plan, flags) as (ranks, console):
        return _train(plan, flags, ranks, console)


@contextmanager
def _join(plan: Plan, flags: Namespace) -> Iterator[tuple[Ranks, Console]]:
    """Who trains together, and the console, which only the first of them has."""
    if flags.distributed:
        from fleetfoot.core.distributed import join_ranks

        with join_ranks(plan.device) as ranks, open(os.devnull, "w") as nowhere:
            yield ranks, Console() if ranks.is_first else Console(nowhere)
    else:
        console = Console()
        with console.stage("import torch"):
            from fleetfoot.core.distributed import ALONE, refuse_other_ranks
        refuse_other_ranks()
        yield ALONE, console


def _train(plan: Plan, flags: Namespace, ranks: Ranks, console: Console) -> int:
    from fleetfoot.algorithms.build import check_config

    of_each = "" if ranks.world_size == 1 else f"{ranks.world_size} x "
    num_envs = plan.task.cfgs.num_envs(plan.env_cfg)
    with console.stage(f"make {of_each}{num_envs} environments of {plan.task.name} in {plan.task.simulator}"):
        env = _make_env(plan, ranks)
    with ExitStack() as stack:
        stack.callback(lambda: env.close())  # the recorder's, once there is one
        check_config(env, plan.agent_cfg)
        _check_teachers(env, plan)
        folder = ranks.share(_run_folder(plan, flags) if ranks.is_first else Path())[0]
        if flags.video and ranks.is_first:
            env = _filmed(env, plan, folder, flags, console)
        with console.stage("build the networks"):
            runner = _make_runner(env, plan, folder, console, ranks)
            _begin_with(runner, plan, flags, console)
        _require_work(runner, plan)
        if ranks.is_first:
            write_params(folder, plan)
        return _learn(runner, plan, folder, console, flags, ranks)


def _make_env(plan: Plan, ranks: Ranks) -> VecEnv:
    from fleetfoot.cli.device import resolve_device

    return plan.make_env(resolve_device(ranks.own_device(plan.device)))


def _run_folder(plan: Plan, flags: Namespace) -> Path:
    return run_folder_of(plan.checkpoint) if flags.resume and plan.checkpoint else new_run_folder(plan)


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


def _require_work(runner: Runner[Any, Any], plan: Plan) -> None:
    """Refuse to go on with a run that is done."""
    wanted = plan.agent_cfg.max_iterations
    if runner.iteration >= wanted:
        raise ConfigError(
            "--max_iterations",
            got=f"{wanted}, and the checkpoint has done {runner.iteration}",
            expected="more than the checkpoint has done",
            fix=f"Pass --max_iterations {runner.iteration + wanted}, say.",
        )


def _learn(runner: Runner[Any, Any], plan: Plan, folder: Path, console: Console, flags: Namespace, ranks: Ranks) -> int:
    """The training itself, which Ctrl-C and SIGTERM end after the iteration in progress; returns the exit status."""
    from fleetfoot.cli.wrap_up import say_how_to_go_on, wrap_up

    wanted, status = plan.agent_cfg.max_iterations, "failed"
    try:
        with stop_in_order(runner.request_stop, say=ranks.is_first) as received:
            runner.learn(wanted - runner.iteration, init_at_random_ep_len=True)
        status = "finished" if runner.iteration >= wanted else "interrupted"
        if ranks.is_first:
            wrap_up(runner, plan, folder, console, status, ranks, with_film=not flags.no_final_video)
    except BaseException as error:
        ranks.leave(error)  # at once: the others wait, and closing may take a minute
        raise
    finally:
        if status == "failed":
            console.close(status)
            say_how_to_go_on(plan, folder, console, ranks)
        runner.env.close()  # the last videos are finished here, and the writers take them
        runner.close(status)
    number = received[0] if received else signal.SIGTERM  # which another rank may have got
    return 128 + number if status == "interrupted" else 0


def _check_teachers(env: VecEnv, plan: Plan) -> None:
    """Refuse those that don't fit before a folder is made for the run."""
    if plan.teachers:
        from fleetfoot.runners.teacher import read_teachers

        assert isinstance(plan.agent_cfg, DistillationRunnerCfg)
        read_teachers(plan.teachers, plan.agent_cfg, env, env.device)


def _make_runner(env: VecEnv, plan: Plan, folder: Path, console: Console, ranks: Ranks) -> Runner[Any, Any]:
    from fleetfoot.runners.build import build_runner
    from fleetfoot.runners.logging.build import file_writers

    return build_runner(
        env,
        plan.agent_cfg,
        folder,
        writer=file_writers(plan.agent_cfg, beside=(console,), report=console.message),
        metadata=plan.metadata(),
        env_seed=plan.task.cfgs.seed(plan.env_cfg),
        report=console.message,
        ranks=ranks,
    )


def _begin_with(runner: Runner[Any, Any], plan: Plan, flags: Namespace, console: Console) -> None:
    """What was learned before: the whole run that goes on; or a policy, a critic, and the teachers of a new one."""
    from fleetfoot.runners.distillation import DistillationRunner
    from fleetfoot.runners.on_policy import OnPolicyRunner

    if plan.teachers:
        assert isinstance(runner, DistillationRunner)
        runner.load_teacher(*plan.teachers)
    if plan.checkpoint:
        runner.load(plan.checkpoint, optimizer=flags.resume, environment=flags.resume)
    if plan.critic:
        assert isinstance(runner, OnPolicyRunner)
        runner.load_critic(plan.critic)
    elif isinstance(runner, OnPolicyRunner) and plan.checkpoint and not flags.resume:
        _suggest_critic(plan.checkpoint, console)


def _suggest_critic(student: Path, console: Console) -> None:
    """Name the critic of the one who taught the policy that goes on here, if that was a student."""
    from fleetfoot.runners.checkpoint import load_checkpoint

    teachers = load_checkpoint(student).state["algorithm"].get("teacher_sources")
    if teachers is not None:
        where = shlex.quote(teachers[0]) if len(teachers) == 1 and Path(teachers[0]).is_file() else "latest|best|PATH"
        console.message(
            f"the critic begins from nothing, which can spoil a student: --critic {where} takes its teacher's."
        )
