"""The end of a training: exports, a film, the curves, and a summary of it all.

The training is done and saved by now: whatever fails here is said, and costs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetfoot.cli.next_step import how_to_go_on, how_to_play
from fleetfoot.cli.plan import Plan
from fleetfoot.errors import FleetfootError
from fleetfoot.runners.logging.console import Console
from fleetfoot.runners.logging.jsonl import METRICS_FILE
from fleetfoot.runners.logging.summary import RunSummary
from fleetfoot.runners.logging.writer import Status, section

if TYPE_CHECKING:
    from fleetfoot.core.distributed import Ranks
    from fleetfoot.runners.runner import Runner

__all__ = ["say_how_to_go_on", "wrap_up"]

_FILM_S = 10.0


def wrap_up(
    runner: Runner[Any, Any],
    plan: Plan,
    folder: Path,
    console: Console,
    status: Status,
    ranks: Ranks,
    *,
    with_film: bool,
) -> None:
    """Make what a finished training is expected to leave behind, and print the summary.

    An interrupted training only gets the summary, with the command that goes on with it.
    """
    console.close(status)  # the live view ends; the other writers still take the video
    files = {"checkpoint": folder / "checkpoints" / f"model_{runner.iteration}.pt"}
    if status == "finished":
        files |= _make_files(runner, plan, folder, console, with_film=with_film)
    hint = how_to_play(plan, folder) if status == "finished" else how_to_go_on(plan, folder, ranks)
    console.summary(_summarize(runner, plan, folder, status, files, hint))


def _make_files(
    runner: Runner[Any, Any], plan: Plan, folder: Path, console: Console, *, with_film: bool
) -> dict[str, Path]:
    from fleetfoot.runners.logging.plots import plot_learning_curves

    exported, curves = folder / "exported", folder / "learning_curves.png"

    def draw() -> Path:
        plot_learning_curves(folder / METRICS_FILE, curves, title=plan.task.name)
        return curves

    makers: dict[str, Callable[[], Path]] = {
        "onnx": lambda: runner.export_policy_to_onnx(exported),
        "torchscript": lambda: runner.export_policy_to_jit(exported),
        "curves": draw,
    }
    if with_film:
        makers["video"] = lambda: _film(runner, plan, folder)
    files: dict[str, Path] = {}
    for name, make in makers.items():
        try:
            with console.stage(f"write {name}"):
                files[name] = make()
        except Exception as error:  # the training is done: nothing that fails now may take the rest with it
            reason = str(error) if isinstance(error, FleetfootError) else f"{type(error).__name__}: {error}"
            console.message(f"no {name}: {reason}")
    if "video" in files:
        runner.add_video(files["video"])
    return files


def _film(runner: Runner[Any, Any], plan: Plan, folder: Path) -> Path:
    """Ten seconds of the trained policy, in an environment of its own."""
    from fleetfoot.envs.video import film

    if plan.task.one_at_a_time:
        runner.env.close()  # nothing is left to be done with it
    env = replace(plan, env_cfg=plan.task.play_mode(plan.env_cfg)).make_env(runner.device, num_envs=1)
    try:
        path = folder / "videos" / f"policy-{runner.iteration}.mp4"
        return film(env, runner.get_inference_policy(), round(_FILM_S / env.step_dt), path)
    finally:
        env.close()


def _summarize(
    runner: Runner[Any, Any], plan: Plan, folder: Path, status: Status, files: dict[str, Path], hint: str
) -> RunSummary:
    return RunSummary(
        title=f"{plan.task.name}: {'trained' if status == 'finished' else 'stopped'}",
        status=status,
        iterations=runner.iteration,
        seconds=runner.seconds,
        env_steps=runner.env_steps,
        final_reward=runner.scalars.get("Train/mean_reward", math.nan),
        best_reward=runner.best_reward if math.isfinite(runner.best_reward) else math.nan,
        folder=folder,
        metrics=section(runner.scalars, "Metrics"),
        files=files,
        hints=(hint,),
    )


def say_how_to_go_on(plan: Plan, folder: Path, console: Console, ranks: Ranks) -> None:
    """After a failure: name the command that goes on from the last checkpoint, if there is one."""
    if any((folder / "checkpoints").glob("model_*.pt")):
        console.message(f"go on from the last checkpoint: {how_to_go_on(plan, folder, ranks)}")
