"""Isaac Lab's tasks for the commands of fleetfoot, which find `SIMULATOR` here where Isaac Lab is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, final

from fleetfoot.errors import ConfigError
from fleetfoot.tasks.registry import TaskSpec
from fleetfoot.tasks.simulators import Request, Simulator
from fleetfoot_isaaclab.agents import clip_actions_of, find_agents
from fleetfoot_isaaclab.env_cfg import CFGS, IsaacLabEnvCfg, LaunchCfg, resolve
from fleetfoot_isaaclab.launch import split_words

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv

__all__ = ["SIMULATOR", "require_version"]

_MAJOR: Final = "3"


@final
class _IsaacLab:
    """Every task in Gymnasium's registry that has a config of Isaac Lab."""

    name = "isaaclab"
    takes_words = True

    def task_names(self) -> Sequence[str]:
        return sorted(_registered())

    def find_task(self, name: str, request: Request) -> TaskSpec[Any] | None:
        kwargs = _registered().get(name)
        if kwargs is None:
            return None
        selectors, words = split_words(request.words)
        launch = LaunchCfg(words=words, films=request.films, is_distributed=request.is_distributed)
        cfg = IsaacLabEnvCfg(task=name, selectors=selectors, launch=launch)
        agents = find_agents(cfg, kwargs)
        if not agents:
            have = [key for key in kwargs if key.endswith("_cfg_entry_point") and key != "env_cfg_entry_point"]
            raise ConfigError(
                f"--task {name}",
                got=f"agents for {', '.join(have)}" if have else "no agent",
                expected="fleetfoot_cfg_entry_point or rsl_rl_cfg_entry_point, where it is registered",
            )
        return TaskSpec(
            name=name,
            summary="a task of Isaac Lab",
            env_cfg=lambda: replace(cfg, clip_actions=clip_actions_of(cfg, kwargs)),
            make_env=partial(_make_env, kwargs),
            agents=agents,
            default_agent=next(iter(agents)),
            play_mode=lambda cfg: replace(cfg, is_play=True),
            cfgs=CFGS,
            simulator=self.name,
            default_device=resolve(cfg).sim.device,
            one_at_a_time=True,
        )


SIMULATOR: Final[Simulator] = _IsaacLab()


def require_version(found: str) -> None:
    """Refuse an Isaac Lab that this was not made for.

    Raises:
        ConfigError: Its version is not 3.x.
    """
    if found.partition(".")[0] != _MAJOR:
        fix = "Install isaaclab 3.x, or stay with the embedded simulator: --sim mujoco."
        raise ConfigError("Isaac Lab", got=f"version {found}", expected=f"{_MAJOR}.x", fix=fix)


@cache
def _registered() -> Mapping[str, Mapping[str, Any]]:
    """What each task is registered with, by name; Isaac Lab's own and those of installed packages."""
    try:
        require_version(version("isaaclab"))
    except PackageNotFoundError:
        require_version("unknown")
    import gymnasium
    from isaaclab.cli import load_external_tasks

    for package in ("isaaclab_tasks", "fleetfoot_isaaclab.tasks"):  # ours also where it is importable, not installed
        import_module(package)
    load_external_tasks()
    return {
        name: spec.kwargs for name, spec in gymnasium.registry.items() if "env_cfg_entry_point" in (spec.kwargs or {})
    }


def _make_env(kwargs: Mapping[str, Any], cfg: IsaacLabEnvCfg, *, device: torch.device | str, seed: int) -> VecEnv:
    """In the order that Isaac Lab wants: resolved config, launch, environment, wrapper."""
    from fleetfoot_isaaclab.launch import launch
    from fleetfoot_isaaclab.pictures import load_what_is_seen

    env_cfg = resolve(cfg)
    env_cfg.sim.device = str(device)
    env_cfg.compute_final_obs = True  # what a truncated episode ended in
    if CFGS.seed(cfg) is None:
        env_cfg.seed = seed
    if cfg.launch.films or cfg.is_play:  # the film at the end of a training is of an environment to play in
        load_what_is_seen(env_cfg)
    launched = launch(env_cfg, cfg.launch)
    try:
        return _wrap(cfg, kwargs, env_cfg, launched.close)
    except BaseException:
        launched.close()
        raise


def _wrap(cfg: IsaacLabEnvCfg, kwargs: Mapping[str, Any], env_cfg: Any, on_close: Callable[[], None]) -> VecEnv:
    import gymnasium
    from isaaclab.envs import DirectMARLEnvCfg, multi_agent_to_single_agent

    from fleetfoot_isaaclab.mirrors import find_mirrors
    from fleetfoot_isaaclab.vec_env import IsaacLabVecEnv

    env = gymnasium.make(cfg.task, cfg=env_cfg).unwrapped
    try:
        single = multi_agent_to_single_agent(env) if isinstance(env_cfg, DirectMARLEnvCfg) else env
        mirrors = partial(find_mirrors, cfg, kwargs)
        return IsaacLabVecEnv(single, clip_actions=cfg.clip_actions, find_mirrors=mirrors, on_close=on_close)
    except BaseException:
        env.close()
        raise
