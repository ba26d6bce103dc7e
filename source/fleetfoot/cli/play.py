"""`play.py`: watch a trained policy, in a window or on film."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import make_plan
from fleetfoot.cli.policy import open_policy
from fleetfoot.cli.run_folder import run_folder_of
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.policy import InferencePolicy

__all__ = ["has_display", "play"]


def play(arguments: Arguments) -> int:
    """Open a window where there is a display; film where there is none, or where `--video` asks for it."""
    plan = make_plan(arguments)
    assert plan.checkpoint is not None
    console = Console()
    with open_policy(plan, console) as (env, policy, _):
        path = run_folder_of(plan.checkpoint) / "videos" / "play" / f"{plan.checkpoint.stem}.mp4"
        num_steps = arguments.flags.num_steps or env.max_episode_length
        if arguments.flags.video or not has_display() or not _show(env, policy, num_steps, console):
            _film(env, policy, arguments.flags.video_length, path, console)
    return 0


def _film(env: VecEnv, policy: InferencePolicy, num_steps: int, path: Path, console: Console) -> None:
    from fleetfoot.envs.video import film

    with console.stage(f"film {num_steps} steps"):
        film(env, policy, num_steps, path)
    print(path)


def has_display() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show(env: VecEnv, policy: InferencePolicy, num_steps: int, console: Console) -> bool:
    """Follow the first robot in MuJoCo's own viewer, in real time, until the window is closed.

    Returns:
        False if there is no opening a window here after all.
    """
    from fleetfoot.envs.viewer import Viewer

    try:
        window = Viewer(env)
    except Exception as error:  # whatever keeps a window from opening: a stale DISPLAY, macOS without mjpython
        console.message(f"no window ({error}): filming instead")
        return False
    obs = env.reset()
    with window as viewer:
        for step in itertools.count():
            began = time.perf_counter()
            result = env.step(policy(obs))
            policy.reset(result.terminated | result.truncated)
            obs = result.obs
            viewer.draw()
            if viewer.is_closed or step >= num_steps:
                break
            time.sleep(max(0.0, env.step_dt - (time.perf_counter() - began)))
    return True
