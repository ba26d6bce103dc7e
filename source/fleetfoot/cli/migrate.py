"""`migrate.py`: a checkpoint of rsl_rl as one of ours, or one of ours as one of rsl_rl."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import Plan, make_plan, with_shorthands
from fleetfoot.cli.run_folder import new_run_folder, write_params
from fleetfoot.core.config import apply_overrides
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.compat.checkpoint_file import Learned
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.runner import Runner

__all__ = ["migrate"]


def migrate(arguments: Arguments) -> int:
    """Write a checkpoint in the other form, and print where it is."""
    flags = arguments.flags
    if flags.file is None:
        raise ConfigError("FILE", got="nothing", expected="a checkpoint", fix="fleetfoot migrate FILE --task NAME")
    console, source = Console(), Path(flags.file)
    path = _to_rsl_rl(arguments, source) if flags.to == "rsl_rl" else _to_fleetfoot(arguments, source, console)
    print(path)
    return 0


def _to_rsl_rl(arguments: Arguments, source: Path) -> Path:
    """One of ours, or an old one of rsl_rl, as rsl_rl 5.5.1 loads it; a task is not needed."""
    from fleetfoot.compat.adoption import learned_in
    from fleetfoot.compat.checkpoint_file import read_checkpoint_file, write_checkpoint_file
    from fleetfoot.compat.weights import save_rsl_rl_checkpoint
    from fleetfoot.runners.checkpoint import load_checkpoint

    flags = arguments.flags
    output = Path(flags.output or source.with_name(f"{source.stem}_rsl_rl.pt"))
    try:
        checkpoint = load_checkpoint(source)
    except CheckpointError as ours:
        try:
            write_checkpoint_file(output, read_checkpoint_file(source))
        except CheckpointError:
            raise ours from None
    else:
        save_rsl_rl_checkpoint(output, *learned_in(checkpoint, str(source)))
    return output


def _to_fleetfoot(arguments: Arguments, source: Path, console: Console) -> Path:
    """One of rsl_rl as a run of a task here: as if it had been trained here so far."""
    plan, flags = make_plan(arguments), arguments.flags
    with console.stage(f"read {source}"):
        from fleetfoot.compat.weights import load_rsl_rl_checkpoint

        learned = load_rsl_rl_checkpoint(source)
    for part in learned.left_out:
        console.message(f"{part} is left out: there is nothing like it here.")
    plan = _with_their_agent(plan, arguments, source, console)
    console.message(f"observations and actions are taken to mean what they mean in {plan.task.name}.")
    with _trained_so_far(plan, learned, source, console) as runner:
        path = Path(flags.output) if flags.output else None
        if path is None:
            folder = new_run_folder(plan)
            write_params(folder, plan)
            path = folder / "checkpoints" / f"model_{learned.iteration}.pt"
        runner.save(path)
    return path


def _with_their_agent(plan: Plan, arguments: Arguments, source: Path, console: Console) -> Plan:
    """The plan with the agent that the checkpoint was trained as, where its config is there; else that of the task."""
    from fleetfoot.compat.agent_file import find_agent_file, read_agent_file
    from fleetfoot.compat.train_cfg import translate_train_cfg

    given = arguments.flags.train_cfg
    file = Path(given) if given else find_agent_file(source)
    if file is None:
        agent = f"{plan.agent_name} of {plan.task.name}"
        console.message(f"no --train_cfg, and no params/agent.yaml beside the file: it is taken for the agent {agent}.")
        return plan
    env = _make_env(plan, 1)
    try:
        cfg = translate_train_cfg(
            read_agent_file(file),
            observation_spec=env.observation_spec,
            step_dt=env.step_dt,
            refuse_unknown=False,
            report=console.message,
        )
    finally:
        env.close()
    if cfg.kind != plan.agent_cfg.kind:
        got, fix = f"{plan.agent_name}, of kind {plan.agent_cfg.kind}", "Choose one with --agent."
        raise ConfigError("--agent", got=got, expected=f"one of kind {cfg.kind}, as {file} says", fix=fix)
    cfg = replace(cfg, experiment_name=plan.agent_cfg.experiment_name)  # where the task's runs are looked for
    _, overrides = with_shorthands(arguments)
    return replace(plan, agent_cfg=apply_overrides(cfg, overrides, where="agent"))


@contextmanager
def _trained_so_far(plan: Plan, learned: Learned, source: Path, console: Console) -> Iterator[Runner[Any, Any]]:
    """A run of the plan that has learned this, in as few environments as will do."""
    from fleetfoot.compat.adoption import ALL_PARTS, adopt
    from fleetfoot.runners.build import build_runner

    cfg = plan.agent_cfg
    with console.stage(f"make {cfg.algorithm.num_mini_batches} environments of {plan.task.name}"):
        env = _make_env(plan, cfg.algorithm.num_mini_batches)
    try:
        env_seed = plan.task.cfgs.seed(plan.env_cfg)
        runner = build_runner(env, cfg, metadata=plan.metadata(), env_seed=env_seed, report=console.message)
        state = runner.algorithm.state_dict()
        parts = {**ALL_PARTS, "rnd": "rnd" in learned.networks}
        runner.algorithm.load_state_dict(adopt(state, cfg, learned, parts=parts, where=str(source)))
        runner.iteration = learned.iteration
        runner.env_steps = learned.iteration * cfg.num_steps_per_env * plan.task.cfgs.num_envs(plan.env_cfg)
        yield runner
    finally:
        env.close()


def _make_env(plan: Plan, num_envs: int) -> VecEnv:
    from fleetfoot.cli.device import resolve_device

    return plan.make_env(resolve_device(plan.device), num_envs)
