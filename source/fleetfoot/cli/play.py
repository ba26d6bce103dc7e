"""`play.py`: watch a trained policy, in a window or on film."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import Plan, make_plan
from fleetfoot.cli.policy import open_policy
from fleetfoot.cli.run_folder import run_folder_of
from fleetfoot.core.config import apply_overrides
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.policy import InferencePolicy

__all__ = ["film_policy", "play"]


def play(arguments: Arguments) -> int:
    """Open a window where there is a display; film where there is none, or where `--video` asks for it."""
    plan = make_plan(arguments)
    assert plan.checkpoint is not None
    console = Console()
    with open_policy(plan, console) as (env, policy, _):
        if arguments.flags.video or not has_display():
            path = run_folder_of(plan.checkpoint) / "videos" / "play" / f"{plan.checkpoint.stem}.mp4"
            with console.stage(f"film {arguments.flags.video_length} steps"):
                film_policy(plan, policy, path, seconds=arguments.flags.video_length * env.step_dt)
            print(path)
        else:
            _show(env, policy, arguments.flags.num_steps or env.max_episode_length)
    return 0


def film_policy(plan: Plan, policy: InferencePolicy, path: Path, *, seconds: float) -> None:
    """Film one robot that follows the policy, without noise or pushes.

    Raises:
        OutputError: The video could not be drawn; says why.
    """
    from fleetfoot.envs.video import film

    cfg = apply_overrides(plan.task.play_mode(plan.env_cfg), {"scene.num_envs": "1"}, where="env")
    env = plan.task.make_env(cfg, device="cpu", seed=plan.agent_cfg.seed)
    try:
        film(env, policy, round(seconds / env.step_dt), path)
    finally:
        env.close()


def has_display() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show(env: VecEnv, policy: InferencePolicy, num_steps: int) -> None:
    """Follow the first robot in MuJoCo's own viewer, in real time, until the window is closed."""
    from fleetfoot.envs.viewer import Viewer

    obs = env.reset()
    with Viewer(env) as viewer:
        for step in itertools.count():
            began = time.perf_counter()
            obs = env.step(policy(obs)).obs
            viewer.draw()
            if viewer.is_closed or step >= num_steps:
                return
            time.sleep(max(0.0, env.step_dt - (time.perf_counter() - began)))
