"""mjlab's tasks as `--task` finds them.

    --task Mjlab-Velocity-Flat-Unitree-Go1 [--sim mjlab] env.rewards.pose.weight=0.5 agent.algorithm.gamma=0.98

They are those of mjlab's own registry, also where another package has registered them.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, final

from fleetfoot.errors import ConfigError
from fleetfoot.tasks.registry import TaskSpec
from fleetfoot.tasks.simulators import Request, Simulator

if TYPE_CHECKING:
    import torch
    from mjlab.envs import ManagerBasedRlEnvCfg

    from fleetfoot.core.vec_env import VecEnv

__all__ = ["SIMULATOR"]

_LEAST: Final = (1, 6)
"""The first version that lets who steps an environment reset it."""


@final
class _Mjlab:
    """See the module."""

    name = "mjlab"
    takes_words = False

    def task_names(self) -> Sequence[str]:
        import mjlab.tasks  # noqa: F401 - registers them
        from mjlab.tasks.registry import list_tasks

        return list_tasks()

    def find_task(self, name: str, request: Request) -> TaskSpec[Any] | None:
        if name not in self.task_names():
            return None
        _require_version(version("mjlab"))
        _refuse_their_words(request.words)
        import torch

        from fleetfoot_mjlab import agents, env_cfgs

        load = partial(_load_env_cfg, name)
        return TaskSpec(
            name=name,
            summary="A task of mjlab.",
            env_cfg=load,
            make_env=partial(_make_env, name),
            agents={"ppo": partial(agents.agent_cfg, name)},
            play_mode=lambda cfg: env_cfgs.with_changes_of(cfg, load(), load(play=True)),
            cfgs=env_cfgs.MJLAB_CFGS,
            simulator=self.name,
            default_device="cuda:0" if torch.cuda.is_available() else "cpu",
        )


SIMULATOR: Final[Simulator] = _Mjlab()


def _require_version(found: str) -> None:
    """Refuse a version that works in another way.

    Raises:
        ConfigError: It is one.
    """
    numbers = tuple(map(int, re.findall(r"\d+", found)[:2]))
    if not _LEAST <= numbers < (2,):
        fix = "Install mjlab 1.6, or choose another task."
        raise ConfigError("--sim mjlab", got=f"mjlab {found}", expected="mjlab 1.6 or a later 1.x", fix=fix)


def _refuse_their_words(words: Sequence[str]) -> None:
    """Say how what is a flag to mjlab is written here.

    Raises:
        ConfigError: There is such a flag.
    """
    for word in words:
        flag, _, value = word.partition("=")
        if re.match(r"--(env|agent)\.", flag):
            here = f"{flag[2:].replace('-', '_')}={value or 'VALUE'}"
            raise ConfigError(flag, got="a flag of mjlab's own script", expected=f"{here}, without dashes")


def _load_env_cfg(name: str, *, play: bool = False) -> ManagerBasedRlEnvCfg:
    from mjlab.tasks.registry import load_env_cfg

    return load_env_cfg(name, play=play)


def _make_env(name: str, cfg: ManagerBasedRlEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
    from fleetfoot_mjlab.agents import clip_actions
    from fleetfoot_mjlab.vec_env import MjlabVecEnv

    with contextlib.redirect_stdout(io.StringIO()):  # tables of all that is in it
        return MjlabVecEnv(cfg, name=name, device=device, seed=seed, clip_actions=clip_actions(name))
