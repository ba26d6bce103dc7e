"""An environment small enough to compute by hand: it passes `check_vec_env` and needs no simulator.

Environment `i` counts its steps. Its episode terminates after `terminate_after[i]` steps if that is given, and is
truncated after `max_episode_length`. The best action is the negative of the observed position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult

__all__ = ["ToyEnv"]


@final
class ToyEnv:
    """Points on a line that want to be at zero: `x' = x + 0.1 a`, `reward = -x'^2`.

    Observation groups: `policy` is `(x, steps / max_episode_length)`, `critic` the same and the environment's index.
    In the mirror, left of zero is right of it.
    """

    step_dt = 0.1
    observation_spec: Mapping[str, tuple[int, ...]] = {"policy": (2,), "critic": (3,)}
    action_spec = ActionSpec(size=1, names=("push",))
    mirror_images = (
        MirrorImage(
            name="left_right",
            observations={
                "policy": SignedPermutation((0, 1), (-1.0, 1.0)),
                "critic": SignedPermutation((0, 1, 2), (-1.0, 1.0, 1.0)),
            },
            actions=SignedPermutation((0,), (-1.0,)),
        ),
    )

    def __init__(
        self,
        num_envs: int = 4,
        *,
        max_episode_length: int = 8,
        terminate_after: Sequence[int] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        self.num_envs = num_envs
        self.device = exact_device(device)
        self.max_episode_length = max_episode_length
        never = [torch.iinfo(torch.int64).max] * num_envs
        self._terminate_after = torch.tensor([*terminate_after, *never][:num_envs], device=self.device)
        self._index = torch.arange(num_envs, device=self.device, dtype=torch.float32)
        self.episode_length = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._x = torch.zeros(num_envs, device=self.device)
        self._generator = make_generator(0, "toy", self.device)
        self.reset(0)

    def reset(self, seed: int | None = None) -> Observations:
        if seed is not None:
            self._generator = make_generator(seed, "toy", self.device)
        self._x = self._draw()
        self.episode_length.zero_()
        return self._observe()

    def step(self, actions: Tensor) -> StepResult:
        check_actions(self, actions)
        self._x = self._x + 0.1 * actions[:, 0]
        self.episode_length += 1
        terminated = self.episode_length >= self._terminate_after
        truncated = (self.episode_length >= self.max_episode_length) & ~terminated
        reward = -self._x.square()
        done = terminated | truncated
        final_obs = self._observe()
        self._x = torch.where(done, self._draw(), self._x)
        self.episode_length.masked_fill_(done, 0)
        return StepResult(
            obs=self._observe(),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_obs=final_obs,
            metrics={"Metrics/distance": self._x.abs().mean()},
        )

    def close(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {
            "x": self._x.clone(),
            "episode_length": self.episode_length.clone(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> Observations:
        self._x = state["x"].clone()
        self.episode_length.copy_(state["episode_length"])
        self._generator.set_state(state["generator"])
        return self._observe()

    def _draw(self) -> Tensor:
        return torch.randn(self.num_envs, generator=self._generator, device=self.device)

    def _observe(self) -> Observations:
        policy = torch.stack((self._x, self.episode_length / self.max_episode_length), dim=-1)
        return {"policy": policy, "critic": torch.cat((policy, self._index[:, None]), dim=-1)}
