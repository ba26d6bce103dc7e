"""An environment of mjlab by our contract.

mjlab can leave it to who steps it to reset what has ended (`auto_reset=False`): its step then returns the last
observations of an episode, and a reset of those environments the first of the next. That is one more forward pass of
the physics in a step in which an episode ends, and costs no accuracy: all else of the step is computed as ever.

Axes: `N` environments, `A` actions.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from mjlab.envs import ManagerBasedRlEnv, ManagerBasedRlEnvCfg
from mjlab.tasks.tracking.mdp import MotionCommandCfg
from mjlab.viewer.offscreen_renderer import OffscreenRenderer
from numpy.typing import NDArray
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.said import as_metrics
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult
from fleetfoot.errors import ConfigError
from fleetfoot_mjlab.contract import action_names, describe

__all__ = ["MjlabVecEnv"]


@final
class MjlabVecEnv:
    """An environment of mjlab.

    Args:
        cfg: Its config, which is left as it is.
        name: The task's.
        device: Where to simulate.
        seed: Everything random follows from it, unless the config has a seed of its own. mjlab draws from the global
            generators of torch, NumPy and Python.
        clip_actions: Actions are kept within `±clip_actions`; None for no bound.

    Raises:
        ConfigError: The config lacks something that the environment can't do without.
    """

    def __init__(
        self,
        cfg: ManagerBasedRlEnvCfg,
        *,
        name: str,
        device: torch.device | str,
        seed: int,
        clip_actions: float | None = None,
    ) -> None:
        _require_motions(cfg)
        self.device = exact_device(device)
        self._cfg, self._seed = cfg, seed if cfg.seed is None else cfg.seed
        self._name, self._clip = name, clip_actions
        self._first_step, self._is_fresh = 0, True
        self._renderer: OffscreenRenderer | None = None
        self._env = self._make()
        self.num_envs = self._env.num_envs
        self.step_dt = float(self._env.step_dt)
        self.max_episode_length = self._env.max_episode_length
        self.observation_spec: Mapping[str, tuple[int, ...]] = dict(_shapes(self._env))
        names, size = action_names(self._env), self._env.action_manager.total_action_dim
        bounds = None if clip_actions is None else (clip_actions,) * size
        low = None if bounds is None else tuple(-x for x in bounds)
        self.action_spec = ActionSpec(size=size, names=names, low=low, high=bounds)

    @property
    def env(self) -> ManagerBasedRlEnv:
        """The environment itself."""
        return self._env

    @property
    def episode_length(self) -> Tensor:
        """Control steps since the last reset, int64 `[N]`."""
        return self._env.episode_length_buf

    def reset(self, seed: int | None = None) -> Observations:
        """Begin new episodes everywhere.

        With a seed, an environment that is not fresh is made anew: some terms of mjlab remember what was before a
        reset, curricula among them.
        """
        if seed is not None and not self._is_fresh:
            self.close()
            self._env = self._make()
        self._is_fresh = False
        obs, _ = self._env.reset(seed=seed)
        return _own(obs)

    @torch.no_grad()
    def step(self, actions: Tensor) -> StepResult:
        """Advance by one control step."""
        check_actions(self, actions)
        clipped = actions if self._clip is None else actions.clamp(-self._clip, self._clip)
        raw, reward, terminated, time_outs, extras = self._env.step(clipped)
        obs, log = _own(raw), extras["log"]
        if self._env.cfg.is_finite_horizon:  # the end of time is an end of the task
            terminated = terminated | time_outs
        truncated = time_outs & ~terminated
        terminated, reward = terminated.clone(), reward.to(torch.float32, copy=True)
        final_obs = None
        ended = (terminated | truncated).nonzero().squeeze(-1)
        if len(ended) > 0:
            final_obs, obs = obs, self._restart(ended, obs)
            log = {**log, **self._env.extras["log"]}
        return StepResult(
            obs=obs,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_obs=final_obs,
            metrics=as_metrics(log, self.device),
        )

    def go_on_from_step(self, step: int) -> None:
        """See `CurriculumEnv.go_on_from_step`."""
        self._first_step = self._env.common_step_counter = step

    def policy_contract(self) -> dict[str, Any]:
        """See `DescribedEnv.policy_contract`."""
        return describe(self._env, self._name, self._clip)

    def render(self) -> NDArray[np.uint8]:
        """A picture `[H, W, 3]` of the environments that `env.viewer` shows."""
        renderer = self._renderer or self._make_renderer()
        self._renderer = renderer
        renderer.update(self._env.sim.data, debug_vis_callback=self._env.update_visualizers)
        return np.ascontiguousarray(renderer.render())

    def close(self) -> None:
        """Release what the environment holds."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self._env.close()

    def _make(self) -> ManagerBasedRlEnv:
        own = copy.deepcopy(self._cfg)  # mjlab writes into it
        own.auto_reset, own.seed = False, self._seed
        env = ManagerBasedRlEnv(own, device=str(self.device))
        env.common_step_counter = self._first_step
        return env

    def _make_renderer(self) -> OffscreenRenderer:
        sim = self._env.sim
        renderer = OffscreenRenderer(
            model=sim.mj_model,
            cfg=self._env.cfg.viewer,
            scene=self._env.scene,
            sim_model=sim.model,
            expanded_fields=sim.expanded_fields,
        )
        renderer.initialize()
        return renderer

    def _restart(self, ended: Tensor, obs: Observations) -> Observations:
        """Begin new episodes where they ended; the others keep what they have seen, noise and all.

        mjlab adds to the metrics of commands everywhere; those of the others are put back.
        """
        manager = self._env.command_manager
        metrics = [manager.get_term(name).metrics for name in manager.active_terms]
        before = [{key: x.clone() for key, x in of_term.items()} for of_term in metrics]
        self._env.recorder_manager.record_pre_reset(ended)
        first, _ = self._env.reset(env_ids=ended)
        for now, then in zip(metrics, before, strict=True):
            now |= {key: x.index_copy_(0, ended, now[key].index_select(0, ended)) for key, x in then.items()}
        return {group: obs[group].index_copy(0, ended, x.index_select(0, ended)) for group, x in _own(first).items()}


def _require_motions(cfg: ManagerBasedRlEnvCfg) -> None:
    """Refuse to imitate nothing."""
    for name, command in cfg.commands.items():
        if isinstance(command, MotionCommandCfg) and not Path(command.motion_file).is_file():
            where = f"env.commands.{name}.motion_file"
            got, fix = repr(command.motion_file), f"Pass {where}=PATH; mjlab's csv_to_npz makes such files."
            raise ConfigError(where, got=got, expected="the file of a motion, .npz", fix=fix)


def _shapes(env: ManagerBasedRlEnv) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Group to the shape of one environment's observation; terms that mjlab does not join are groups of their own."""
    manager = env.observation_manager
    for group, shape in manager.group_obs_dim.items():
        if isinstance(shape, tuple):
            yield group, shape
        else:
            yield from zip((f"{group}.{term}" for term in manager.active_terms[group]), shape, strict=True)


def _own(obs: Mapping[str, Any]) -> Observations:
    """Copies of what mjlab observes: it hands out buffers that it goes on to write into."""
    flat: dict[str, Tensor] = {}
    for group, value in obs.items():
        terms = {group: value} if isinstance(value, Tensor) else {f"{group}.{term}": x for term, x in value.items()}
        flat |= {name: x.to(torch.float32, copy=True) for name, x in terms.items()}
    return flat
