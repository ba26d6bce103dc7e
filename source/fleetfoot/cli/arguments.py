"""What was typed: flags, and overrides by dotted path. No torch here.

train.py --task Anymal-Flat --num_envs 512 agent.algorithm.gamma=0.98 env.rewards.action_rate_l2.weight=-0.02
         ╰── flags, named as Isaac Lab's ──╯ ╰── overrides: any field of the agent's or the environment's config ──╯
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from fleetfoot.core.config import nearest
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.simulators import SIM_NAMES

__all__ = ["COMMANDS", "Arguments", "Command", "build_parser", "find_command", "parse"]

Command = Literal["train", "play", "evaluate", "export", "migrate", "list_tasks"]
COMMANDS: Mapping[Command, str] = {
    "train": "Train a policy.",
    "play": "Show a trained policy, and film it.",
    "evaluate": "Measure a trained policy without exploration or noise.",
    "export": "Write a trained policy as ONNX and TorchScript.",
    "migrate": "Turn a checkpoint of rsl_rl into one of fleetfoot, or the other way round.",
    "list_tasks": "Print the tasks and their agents.",
}

_SIM_HELP = (
    "what simulates a task (default: auto: the first that is installed and has it of isaaclab, mjlab, gymnasium, for "
    "--task gymnasium:ID, and mujoco, which is always there)"
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What was typed after the name of a command."""

    command: Command
    flags: argparse.Namespace
    env_overrides: Mapping[str, str] = field(default_factory=dict)
    """Dotted path below `env` to the value as typed."""
    agent_overrides: Mapping[str, str] = field(default_factory=dict)
    """Dotted path below `agent` to the value as typed."""
    words: tuple[str, ...] = ()
    """What is neither, in its order: for the simulator, if it takes any."""

    def refuse_words(self) -> None:
        """Refuse what nobody understands.

        Raises:
            ConfigError: There is such a word.
        """
        if not self.words:
            return
        word, flag = self.words[0], self.words[0].partition("=")[0]
        if not word.startswith("-"):
            expected, fix = "env.<path>=<value> or agent.<path>=<value>", "Write flags as --name VALUE."
            raise ConfigError(f"{word!r}", got="a stray word", expected=expected, fix=fix)
        known = [option for action in build_parser(self.command)._actions for option in action.option_strings]
        expected = f"a flag of {self.command}"
        raise ConfigError(flag, got="an unknown flag", expected=expected, fix=nearest(flag, known))


def find_command(word: str) -> Command:
    """The command of that name, with `-` or `_`.

    Raises:
        ConfigError: There is none; offers the nearest.
    """
    for command in COMMANDS:
        if command == word.replace("-", "_"):
            return command
    raise ConfigError("fleetfoot", got=repr(word), expected="a command", fix=nearest(word, COMMANDS))


def parse(command: Command, argv: Sequence[str]) -> Arguments:
    """Tell flags, overrides and other words apart.

    Raises:
        ConfigError: A flag has a value it cannot have.
    """
    flags, rest = build_parser(command).parse_known_args(list(argv))
    overrides: dict[str, dict[str, str]] = {"env": {}, "agent": {}}
    words: list[str] = []
    for word in rest:
        path, separator, value = word.partition("=")
        root, _, below = path.partition(".")
        if root in overrides and below and separator:
            overrides[root][below] = value
        else:
            words.append(word)
    return Arguments(
        command=command,
        flags=flags,
        env_overrides=overrides["env"],
        agent_overrides=overrides["agent"],
        words=tuple(words),
    )


class _Parser(argparse.ArgumentParser):
    """Raises our errors instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(self.prog, got=message, expected="the flags below --help")


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text}, expected an integer of at least 1")
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text}, expected a positive number")
    return value


def build_parser(command: Command) -> argparse.ArgumentParser:
    """The flags of a command."""
    parser = _Parser(prog=f"{command}.py", description=COMMANDS[command], allow_abbrev=False, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="show every flag and field, and exit")
    parser.add_argument("--sim", choices=SIM_NAMES, default="auto", help=_SIM_HELP)
    if command == "list_tasks":
        return parser
    parser.add_argument("--task", metavar="NAME", help="what to train, as scripts/list_tasks.py prints it")
    parser.add_argument("--agent", metavar="NAME", default=None, help="which of the task's agents")
    parser.add_argument("--num_envs", type=int, metavar="N", help="environments side by side: env.scene.num_envs")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything random: agent.seed")
    parser.add_argument(
        "--device", metavar="NAME", help="cpu or cuda[:N] (default: cpu; of Isaac Lab's and mjlab's tasks: their own)"
    )
    parser.add_argument("--experiment_name", metavar="NAME", help="folder of the runs: agent.experiment_name")
    parser.add_argument("--log_root", metavar="DIR", default="logs/fleetfoot", help="(default: logs/fleetfoot)")
    parser.add_argument("--headless", action="store_true", help="accepted; it is the default")
    wanted = "latest, best, or a path to a file or a run folder"
    match command:
        case "train":
            _add_train_flags(parser, wanted)
        case "play":
            parser.add_argument("--checkpoint", metavar="WHICH", default="latest", help=f"{wanted} (default: latest)")
            parser.add_argument("--video", action="store_true", help="write an mp4 instead of opening a window")
            parser.add_argument(
                "--video_length", type=_positive_int, default=500, metavar="N", help="steps of it (default: 500)"
            )
            parser.add_argument(
                "--num_steps", type=_positive_int, metavar="N", help="stop after N steps (default: one episode)"
            )
        case "evaluate":
            parser.add_argument("--checkpoint", metavar="WHICH", default="latest", help=f"{wanted} (default: latest)")
            parser.add_argument(
                "--seconds", type=_positive_float, default=10.0, metavar="S", help="of each robot (default: 10)"
            )
            parser.add_argument("--output", metavar="FILE", help="also write the numbers as JSON")
        case "export":
            parser.add_argument("--checkpoint", metavar="WHICH", default="latest", help=f"{wanted} (default: latest)")
            parser.add_argument("--output", metavar="DIR", help="(default: exported/ beside the checkpoints)")
        case "migrate":
            _add_migrate_flags(parser)
    return parser


def _add_train_flags(parser: argparse.ArgumentParser, wanted: str) -> None:
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="one of several processes that torchrun starts; --num_envs is for each",
    )
    parser.add_argument("--max_iterations", type=int, metavar="N", help="iterations in all: agent.max_iterations")
    parser.add_argument("--run_name", metavar="NAME", help="appended to the run's folder: agent.run_name")
    parser.add_argument("--logger", metavar="NAME", help="tensorboard or wandb: agent.logger")
    parser.add_argument("--resume", action="store_true", help="go on with a run where its checkpoint left it")
    parser.add_argument(
        "--checkpoint", metavar="WHICH", help=f"{wanted}; without --resume, a policy to begin a run with"
    )
    parser.add_argument(
        "--teacher",
        action="append",
        metavar="WHICH",
        help=f"whom a student learns from: {wanted}; once for each teacher",
    )
    parser.add_argument("--critic", metavar="WHICH", help=f"a critic to begin a run with, that of a teacher: {wanted}")
    parser.add_argument("--video", action="store_true", help="film the training, every --video_interval steps")
    parser.add_argument(
        "--video_length", type=_positive_int, default=200, metavar="N", help="steps of a clip (default: 200)"
    )
    parser.add_argument(
        "--video_interval", type=_positive_int, default=2000, metavar="N", help="steps between (default: 2000)"
    )
    parser.add_argument("--no_final_video", action="store_true", help="do not film the trained policy at the end")


def _add_migrate_flags(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(checkpoint=None)  # it begins with a file that no run here has written
    parser.add_argument("file", nargs="?", metavar="FILE", help="the checkpoint")
    parser.add_argument(
        "--to", choices=("fleetfoot", "rsl_rl"), default="fleetfoot", help="whose checkpoint it becomes"
    )
    parser.add_argument(
        "--train_cfg",
        metavar="YAML",
        help="the config that rsl_rl trained it with (default: params/agent.yaml beside FILE; else the task's agent)",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="(default: a new run of the task; to rsl_rl: <name>_rsl_rl.pt beside FILE)"
    )
