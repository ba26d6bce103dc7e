"""Launching Isaac Lab's simulation, in the order it wants: resolved config, launcher, environment.

Without Omniverse there is nothing to launch, and environments can be made one after the other. Kit runs once in a
process and ends the process when it is closed: it is left running, and Isaac Lab closes it at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from typing import Any, Final, NoReturn, final

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError
from fleetfoot_isaaclab.env_cfg import SELECTORS, LaunchCfg

__all__ = ["launch", "split_words"]

_LEFT_RUNNING: Final[list[Any]] = []
"""Launches that are never closed here; referred to, because one that is forgotten is closed."""


@final
class _Parser(argparse.ArgumentParser):
    """Raises our errors instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError("arguments of Isaac Lab's launcher", got=message, expected="those that Isaac Lab has")


def split_words(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell what selects presets from what is for the launcher.

    Returns:
        Selectors, as `physics=newton_mjwarp`, and the launcher's arguments, both as they were typed.

    Raises:
        ConfigError: A word is neither; names it.
    """
    from isaaclab.app.sim_launcher import fuse_kit_args

    selectors = tuple(word for word in words if word.partition("=")[0] in SELECTORS and "=" in word)
    others = fuse_kit_args([word for word in words if word not in selectors])
    parser = _launcher_parser()
    _, unknown = parser.parse_known_args(others)
    if unknown:
        word = unknown[0]
        if word.startswith("-"):
            known = [option for action in parser._actions for option in action.option_strings]
            fix = nearest(word.partition("=")[0], known)
            expected = "a flag of this command, or of Isaac Lab's launcher"
            raise ConfigError(word.partition("=")[0], got="an unknown flag", expected=expected, fix=fix)
        kinds = ", ".join(f"{name}=NAME" for name in SELECTORS)
        expected = f"env.<path>=<value>, agent.<path>=<value>, {kinds}"
        raise ConfigError(repr(word), got="a stray word", expected=expected, fix="Write flags as --name VALUE.")
    return selectors, tuple(others)


def launch(env_cfg: Any, cfg: LaunchCfg) -> ExitStack:
    """Launch what the resolved config asks for; placeholders in it are replaced by what was chosen for them.

    Args:
        env_cfg: Isaac Lab's config, with its device.
        cfg: How to launch it.

    Returns:
        Closes what was launched, unless it is Kit.
    """
    from isaaclab.app import launch_simulation
    from isaaclab_rl.entrypoints.common import request_determinism

    args = _launcher_parser().parse_args(cfg.words)
    args.device = env_cfg.sim.device
    args.enable_cameras = cfg.films
    args.distributed = cfg.is_distributed and args.device != "cpu"
    if cfg.films:
        _prepare_filming(env_cfg, args)
    launched = ExitStack()
    context = launch_simulation(env_cfg, args)
    if _needs_kit(env_cfg, args):
        _LEFT_RUNNING.append(context)
        context.__enter__()
        context = nullcontext()
    launched.enter_context(context)
    request_determinism(args, env_cfg)
    return launched


def _launcher_parser() -> _Parser:
    from isaaclab.app import add_launcher_args

    parser = _Parser(prog="Isaac Lab", allow_abbrev=False, add_help=False)
    add_launcher_args(parser)
    return parser


def _needs_kit(env_cfg: Any, args: argparse.Namespace) -> bool:
    from isaaclab.app.sim_launcher import validate_launch

    return bool(validate_launch(env_cfg, args)[1])


def _prepare_filming(env_cfg: Any, args: argparse.Namespace) -> None:
    """Where Kit simulates, pictures come from a viewer of its own, which has to be there from the start."""
    if args.visualizer is None and _needs_kit(env_cfg, args):
        from isaaclab_rl.entrypoints.common import pre_launch_video_config

        args.video = True
        pre_launch_video_config(env_cfg, args)
