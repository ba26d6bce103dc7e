"""Which runner a config is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_never

from fleetfoot.core.vec_env import VecEnv
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg, RunnerCfg
from fleetfoot.runners.distillation import DistillationRunner
from fleetfoot.runners.on_policy import OnPolicyRunner

__all__ = ["build_runner"]


def build_runner(
    env: VecEnv, cfg: RunnerCfg, log_dir: Path | None = None, **options: Any
) -> OnPolicyRunner | DistillationRunner:
    """The runner of this kind of config.

    Args:
        env: The environment.
        cfg: The config.
        log_dir: Folder of the run.
        **options: See `Runner`.
    """
    match cfg:
        case OnPolicyRunnerCfg():
            return OnPolicyRunner(env, cfg, log_dir, **options)
        case DistillationRunnerCfg():
            return DistillationRunner(env, cfg, log_dir, **options)
        case _:
            assert_never(cfg)
