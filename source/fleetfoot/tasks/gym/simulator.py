"""Gymnasium as what simulates tasks: `--task gymnasium:HalfCheetah-v5`, or `--sim gymnasium --task HalfCheetah-v5`.

Light: gymnasium is imported when one of its tasks is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from fleetfoot.tasks.gym.agents import ppo
from fleetfoot.tasks.gym.config import GymnasiumEnvCfg
from fleetfoot.tasks.registry import TaskSpec
from fleetfoot.tasks.simulators import Request, Simulator

if TYPE_CHECKING:
    import torch

    from fleetfoot.core.vec_env import VecEnv

__all__ = ["SIMULATOR"]

_PREFIX: Final = "gymnasium:"


@final
class _Gymnasium:
    """Whatever is registered with it."""

    name = "gymnasium"
    takes_words = False

    def task_names(self) -> Sequence[str]:
        """One for all: it has hundreds, most of them not for continuous actions, and says itself which is near."""
        return (f"{_PREFIX}ID",)

    def find_task(self, name: str, request: Request) -> TaskSpec[Any] | None:
        if not (name.startswith(_PREFIX) or request.is_asked_alone):
            return None
        return _task(name.removeprefix(_PREFIX))


SIMULATOR: Final[Simulator] = _Gymnasium()


def _task(task_id: str) -> TaskSpec[GymnasiumEnvCfg]:
    from fleetfoot.tasks.gym.make import find_spec

    is_vector_only = find_spec(task_id).entry_point is None
    return TaskSpec(
        name=f"{_PREFIX}{task_id}",
        summary="An environment of Gymnasium.",
        env_cfg=partial(GymnasiumEnvCfg, vectorization="vector_entry_point" if is_vector_only else "sync"),
        make_env=partial(_make_env, task_id=task_id),
        agents={"ppo": partial(ppo, task_id)},
        play_mode=lambda cfg: cfg,
        simulator=SIMULATOR.name,
    )


def _make_env(cfg: GymnasiumEnvCfg, *, device: torch.device | str, seed: int, task_id: str) -> VecEnv:
    from fleetfoot.tasks.gym.make import make_env

    return make_env(cfg, device=device, seed=seed, task_id=task_id)
