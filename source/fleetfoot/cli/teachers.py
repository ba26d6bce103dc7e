"""`--teacher` and `--critic`: which checkpoints a student learns from, or its critic is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import (
    DistillationRunnerCfg,
    OnPolicyRunnerCfg,
    RunnerCfg,
    decode_agent,
    trained_policy,
)

__all__ = ["find_critic", "find_teachers", "with_teachers"]

_FLAG = "--teacher"


def find_teachers(selectors: Sequence[str], cfg: RunnerCfg, log_root: Path, *, resume: bool) -> tuple[Path, ...]:
    """The files that `--teacher` means, one for each time that it was typed.

    Args:
        selectors: What was typed.
        cfg: The agent, with what was typed.
        log_root: The folder of all experiments.
        resume: Whether a run goes on, whose checkpoint holds its teachers.

    Raises:
        ConfigError: There is a teacher and nobody to learn from it, or nobody to learn from.
        CheckpointError: There is no such checkpoint.
    """
    match cfg:
        case OnPolicyRunnerCfg():
            if selectors:
                expected, fix = "nothing: this agent has no teacher", "Choose one that has: --agent distillation."
                raise ConfigError(_FLAG, got=selectors[0], expected=expected, fix=fix)
            return ()
        case DistillationRunnerCfg():
            return _find(selectors, log_root / (cfg.teacher_experiment or cfg.experiment_name), resume=resume)
        case _:
            assert_never(cfg)


def find_critic(selector: str | None, cfg: RunnerCfg, log_root: Path, *, resume: bool) -> Path | None:
    """The file that `--critic` means; arguments as of `find_teachers`.

    Raises:
        ConfigError: The agent has no critic, or goes on with its own.
        CheckpointError: There is no such checkpoint.
    """
    if selector is None:
        return None
    if not isinstance(cfg, OnPolicyRunnerCfg):
        raise ConfigError("--critic", got=selector, expected="nothing: this agent has no critic")
    if resume:
        raise ConfigError("--critic", got=selector, expected="nothing with --resume: the checkpoint holds its critic")
    from fleetfoot.runners.checkpoint import find_checkpoint  # imports torch: only where a checkpoint is wanted

    return find_checkpoint(selector, log_root / (cfg.critic_experiment or cfg.experiment_name), "--critic")


def _find(selectors: Sequence[str], experiment_dir: Path, *, resume: bool) -> tuple[Path, ...]:
    if resume:
        if selectors:
            expected = "nothing with --resume: the checkpoint holds its teacher"
            raise ConfigError(_FLAG, got=selectors[0], expected=expected)
        return ()
    if not selectors:
        raise ConfigError(
            _FLAG,
            got="nothing",
            expected=f"latest or best of the runs in {experiment_dir}, or a path to a file or a run folder",
            fix="Train a teacher first.",
        )
    from fleetfoot.runners.checkpoint import find_checkpoint  # imports torch: only where a checkpoint is wanted

    return tuple(find_checkpoint(selector, experiment_dir, _FLAG) for selector in selectors)


def with_teachers(cfg: RunnerCfg, paths: Sequence[Path]) -> RunnerCfg:
    """The config with the teachers' networks as their checkpoints have them: nobody has to write them down again.

    Raises:
        CheckpointError: A file is unreadable.
    """
    if not paths:
        return cfg
    from fleetfoot.runners.checkpoint import load_checkpoint

    assert isinstance(cfg, DistillationRunnerCfg)
    agents = [decode_agent(load_checkpoint(path).metadata["agent"], where=f"{path}: agent") for path in paths]
    first, *more = (trained_policy(agent).cfg for agent in agents)
    return replace(cfg, teacher=first, more_teachers=tuple(more))
