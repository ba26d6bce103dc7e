"""From what was typed to what will be run: the task, both configs, and the checkpoint they may come from.

Everything a user can get wrong in names, paths and values is found here, before a simulator or a network is made.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.teachers import find_critic, find_teachers, with_teachers
from fleetfoot.core.config import apply_overrides
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.runners.config import RunnerCfg, decode_agent
from fleetfoot.tasks.registry import TaskSpec, find_agent
from fleetfoot.tasks.simulators import Request, SimName, choose_task, find_simulators

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv

__all__ = ["Plan", "make_plan", "with_shorthands"]

_SHORTHANDS = {
    "num_envs": "env.scene.num_envs",
    "seed": "agent.seed",
    "max_iterations": "agent.max_iterations",
    "experiment_name": "agent.experiment_name",
    "run_name": "agent.run_name",
    "logger": "agent.logger",
}
"""Flags that are another way to write an override."""


_NUM_ENVS: Mapping[str, int] = {"play": 1, "evaluate": 128, "export": 1}
"""Environments that the commands use that do not train, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be run."""

    task: TaskSpec
    agent_name: str
    env_cfg: Any
    """Of the task's own kind: `task.cfgs` works on it."""
    agent_cfg: RunnerCfg
    device: str
    experiment_dir: Path
    """Where the runs of this experiment are."""
    checkpoint: Path | None
    """The file to begin with."""
    iterations_done: int = 0
    """Iterations of the run that goes on, if one does."""
    teachers: tuple[Path, ...] = ()
    """The files of those that a student learns from."""
    critic: Path | None = None
    """The file of a run whose critic this one begins with."""

    def make_env(self, device: torch.device | str, num_envs: int | None = None) -> VecEnv:
        """The environment; with another number of environments than the config's, if one is given."""
        cfg = self.env_cfg if num_envs is None else self.task.cfgs.override(self.env_cfg, _many(num_envs))
        return self.task.make_env(cfg, device=device, seed=self.agent_cfg.seed)

    def metadata(self) -> dict[str, Any]:
        """What a checkpoint carries so that nothing has to be typed again."""
        env = self.task.cfgs.encode(self.env_cfg)
        return {"task": self.task.name, "sim": self.task.simulator, "agent_name": self.agent_name, "env": env}


def make_plan(arguments: Arguments) -> Plan:
    """Decide what to run.

    A checkpoint carries its configs: where one is given (not when it only lends its weights to a new training), they
    are taken from it, and what was typed is set on top. A policy can be watched in another simulator than it was
    trained in, `--sim`, with that one's own config.

    Raises:
        ConfigError: Names the flag or the field that is wrong.
        CheckpointError: The checkpoint is missing, unreadable, or of another task.
    """
    flags = arguments.flags
    task = _find_task(arguments)
    agent_name = flags.agent or task.default_agent
    agent_cfg = find_agent(task, agent_name)()
    env_overrides, agent_overrides = with_shorthands(arguments)
    experiment_name = agent_overrides.get("experiment_name", agent_cfg.experiment_name)
    experiment_dir = Path(flags.log_root) / experiment_name
    checkpoint = _find_checkpoint(arguments, experiment_dir)
    iterations_done, written = 0, None
    if checkpoint is not None:
        metadata = _read_metadata(checkpoint, task)
        _refuse_other_agent(flags, metadata)
        if arguments.command != "train" or flags.resume:
            agent_name = metadata.get("agent_name", agent_name)
            agent_cfg = decode_agent(metadata["agent"], where=f"{checkpoint}: agent")
            task = _where_it_was_trained(task, metadata, arguments)
            if metadata.get("sim", task.simulator) == task.simulator:  # each simulator has its own kind of config
                written = metadata.get("env")  # not there where a program trained, which has its own
            iterations_done = metadata["iteration"]
    env_cfg = task.env_cfg()
    if written is not None:
        env_cfg = task.cfgs.decode(env_cfg, written, where=f"{checkpoint}: env")
    if arguments.command in _NUM_ENVS:
        env_cfg = task.cfgs.override(task.play_mode(env_cfg), _many(_NUM_ENVS[arguments.command]))
    agent_cfg, teachers = _with_overrides(agent_cfg, agent_overrides, arguments)
    critic = None
    if arguments.command == "train":
        critic = find_critic(flags.critic, agent_cfg, Path(flags.log_root), resume=flags.resume)
    return Plan(
        task=task,
        agent_name=agent_name,
        env_cfg=task.cfgs.override(env_cfg, env_overrides),
        agent_cfg=agent_cfg,
        device=flags.device or task.default_device,
        experiment_dir=experiment_dir,
        checkpoint=checkpoint,
        iterations_done=iterations_done,
        teachers=teachers,
        critic=critic,
    )


def _find_task(arguments: Arguments, sim: SimName | None = None) -> TaskSpec[Any]:
    """The task that was asked for, in the simulator that has it, or in this one."""
    flags = arguments.flags
    if flags.task is None:
        names = [name for simulator in find_simulators(flags.sim) for name in simulator.task_names()]
        raise ConfigError("--task", got="nothing", expected=f"one of {', '.join(dict.fromkeys(names))}")
    train = arguments.command == "train"
    request = Request(
        words=arguments.words,
        films=arguments.command == "play" or (train and flags.video),
        is_distributed=train and flags.distributed,
    )
    simulator, task = choose_task(flags.task, sim or flags.sim, request)
    if not simulator.takes_words:
        arguments.refuse_words()
    return task


def _where_it_was_trained(task: TaskSpec[Any], metadata: Mapping[str, Any], arguments: Arguments) -> TaskSpec[Any]:
    """The task in the simulator of a checkpoint, unless another is asked for by name; a run goes on in its own."""
    trained = metadata.get("sim", task.simulator)
    if trained == task.simulator:
        return task
    if arguments.flags.sim == "auto":
        return _find_task(arguments, trained)
    if arguments.command == "train":
        expected = f"{trained}, in which the run to go on with is"
        raise ConfigError("--sim", got=task.simulator, expected=expected, fix="Leave the flag away.")
    return task


def _many(num_envs: int) -> dict[str, str]:
    return {"scene.num_envs": str(num_envs)}


def with_shorthands(arguments: Arguments) -> tuple[dict[str, str], dict[str, str]]:
    """The overrides of `env` and of `agent` that were typed, also those that are flags.

    Raises:
        ConfigError: The same was typed in both ways.
    """
    overrides = {"env": dict(arguments.env_overrides), "agent": dict(arguments.agent_overrides)}
    for flag, path in _SHORTHANDS.items():
        value = getattr(arguments.flags, flag, None)
        if value is not None:
            root, _, below = path.partition(".")
            if below in overrides[root]:
                got = f"{value}, and {path}={overrides[root][below]}"
                raise ConfigError(f"--{flag}", got=got, expected="one of the two: they mean the same")
            overrides[root][below] = str(value)
    return overrides["env"], overrides["agent"]


def _with_overrides(
    cfg: RunnerCfg, overrides: Mapping[str, str], arguments: Arguments
) -> tuple[RunnerCfg, tuple[Path, ...]]:
    """The agent's config, with the networks of its teachers and what was typed on top, and the teachers' files."""
    if "kind" in overrides:
        expected, fix = f"{cfg.kind}, which the agent is", "Choose another agent with --agent."
        raise ConfigError("agent.kind", got=overrides["kind"], expected=expected, fix=fix)
    typed = apply_overrides(cfg, overrides, where="agent")
    if arguments.command != "train":
        return typed, ()
    flags = arguments.flags
    teachers = find_teachers(flags.teacher or (), typed, Path(flags.log_root), resume=flags.resume)
    return apply_overrides(with_teachers(cfg, teachers), overrides, where="agent"), teachers


def _find_checkpoint(arguments: Arguments, experiment_dir: Path) -> Path | None:
    flags = arguments.flags
    selector = flags.checkpoint or ("latest" if getattr(flags, "resume", False) else None)
    if selector is None:
        return None
    from fleetfoot.runners.checkpoint import find_checkpoint  # imports torch: only where a checkpoint is wanted

    return find_checkpoint(selector, experiment_dir)


def _refuse_other_agent(flags: Namespace, metadata: Mapping[str, Any]) -> None:
    """A checkpoint carries its agent: naming another one cannot have been meant."""
    trained = metadata.get("agent_name")
    takes_agent = getattr(flags, "resume", True)  # a new training only borrows the weights
    if takes_agent and flags.agent and trained and flags.agent != trained:
        raise ConfigError("--agent", got=flags.agent, expected=f"{trained}, the agent of the checkpoint")


def _read_metadata(path: Path, task: TaskSpec) -> dict[str, Any]:
    from fleetfoot.runners.checkpoint import load_checkpoint

    metadata = load_checkpoint(path).metadata
    trained = metadata.get("task") or metadata["policy_contract"].get("task")
    if trained != task.name:
        got = f"a checkpoint of task {trained!r}"
        raise CheckpointError(
            str(path), got=got, expected=f"one of {task.name!r}", fix="Check --task and --checkpoint."
        )
    return metadata
