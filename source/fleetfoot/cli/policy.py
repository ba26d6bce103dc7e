"""What play, evaluate and export have in common: a trained policy, and the environment it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fleetfoot.cli.plan import Plan
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.checkpoint import Checkpoint
    from fleetfoot.runners.policy import InferencePolicy

__all__ = ["open_policy"]


@contextmanager
def open_policy(plan: Plan, console: Console) -> Iterator[tuple[VecEnv, InferencePolicy, Checkpoint]]:
    """The environment, the policy of the plan's checkpoint, and the checkpoint; closes the environment."""
    assert plan.checkpoint is not None
    with console.stage("import torch"):
        from fleetfoot.cli.device import resolve_device
        from fleetfoot.runners.checkpoint import load_checkpoint
        from fleetfoot.runners.policy import build_policy
    device = resolve_device(plan.device)
    with console.stage(f"load {plan.checkpoint}"):
        checkpoint = load_checkpoint(plan.checkpoint, device=device)
        env = plan.make_env(device)
    try:
        yield env, build_policy(checkpoint, plan.agent_cfg, env, str(plan.checkpoint)), checkpoint
    finally:
        env.close()
