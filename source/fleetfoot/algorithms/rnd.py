"""Random network distillation (Burda et al. 2018, arXiv:1810.12894): a reward for what has not been seen before.

Axes: `T` time, `N` environments, `L` steps of a sequence, `B` sequences of a mini-batch, `K` numbers to predict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from fleetfoot.algorithms.config import RndCfg
from fleetfoot.algorithms.returns import running_sums
from fleetfoot.algorithms.schedules import planned_bonus_weight
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.vec_env import Observations
from fleetfoot.models.actor_critic import ObservationInput
from fleetfoot.models.distributions import Distribution
from fleetfoot.models.mlp import Mlp
from fleetfoot.models.normalizer import EmpiricalNormalizer
from fleetfoot.storage.rollout import Batch, RolloutBuffer

__all__ = ["Rnd", "RndNetworks"]


@final
class RndNetworks(nn.Module):
    """A network that predicts what another one makes of observations, which was drawn at random and stays as it is.

    Args:
        cfg: Both networks.
        inputs: What they see.
    """

    def __init__(self, cfg: RndCfg, inputs: ObservationInput) -> None:
        super().__init__()
        self.inputs = inputs
        self.predictor = Mlp(inputs.size, cfg.num_outputs, cfg.predictor)
        self.target = Mlp(inputs.size, cfg.num_outputs, cfg.target).requires_grad_(False)
        self.sums = EmpiricalNormalizer(1)  # moments of the running discounted sums of errors

    def forward(self, obs: Observations) -> Tensor:
        """How wrong the prediction is, `predictor(o) - target(o)`, `[…, K]`."""
        x = self.inputs(obs)
        return self.predictor(x) - self.target(x)


@final
class Rnd:
    """Rewards each step for how wrong the prediction is for what it led to.

    `bonus[t] = weight(t) step_dt |predictor(o[t + 1]) - target(o[t + 1])| / std`, where `std` is that of the running
    discounted sum of these errors, if they are to be normalised.

    Args:
        cfg: Weights, and what is normalised.
        networks: On the device of the rollouts.
        step_dt: Duration of a control step [s].
        num_envs: `N`.
        ranks: Who else sees and predicts; what is normalised by is of all of them.
    """

    def __init__(self, cfg: RndCfg, networks: RndNetworks, step_dt: float, num_envs: int, ranks: Ranks = ALONE) -> None:
        self._cfg, self._step_dt, self._num_envs = cfg, step_dt, num_envs
        self.networks, self._ranks = networks, ranks
        self._device = networks.sums.count.device
        self._steps = torch.zeros((), dtype=torch.int64, device=self._device)  # of each environment, so far
        self.forget()

    @property
    def name(self) -> str:
        """What its state is saved under, and its loss logged below `Loss/`."""
        return "rnd"

    @property
    def weight(self) -> float:
        """What the loss is multiplied by: nothing else depends on what it trains."""
        return 1.0

    @property
    def trains(self) -> tuple[nn.Module, float] | None:
        """The predictor, with a step size of its own."""
        return self.networks.predictor, self._cfg.learning_rate

    @torch.no_grad()
    def reward(self, rollout: RolloutBuffer, last_obs: Observations) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The bonus for every step, `[T, N]`, and metrics.

        `Rnd/mean_intrinsic_reward` and `Rnd/mean_extrinsic_reward` are sums over the episodes that ended in the
        rollout; `Rnd/weight` is what its last step was weighted with, the duration of a step included.
        """
        error = torch.linalg.vector_norm(self.networks(self._after_each_step(rollout, last_obs)), dim=-1)
        steps = self._steps + torch.arange(1, rollout.num_steps + 1, device=self._device)
        self._steps = steps[-1].clone()
        weights = self._step_dt * planned_bonus_weight(self._cfg.schedule, self._cfg.weight, steps)
        bonus = weights[:, None] * self._normalized(error)
        intrinsic, extrinsic = self._episode_means(torch.stack((bonus, rollout.rewards), dim=1), rollout.done)
        return bonus, {
            "Rnd/mean_intrinsic_reward": intrinsic,
            "Rnd/mean_extrinsic_reward": extrinsic,
            "Rnd/weight": weights[-1],
        }

    def loss(self, collected: Batch, batch: Batch, distribution: Distribution) -> Tensor:
        """Mean squared error of the predictions for what was seen, `[]`."""
        return self.networks(collected.obs).square().mean()

    def end_update(self, rollout: RolloutBuffer) -> None:
        """Let the normaliser of observations, if there is one, see the rollout."""
        self.networks.inputs.update(rollout.obs, self._ranks)

    def forget(self) -> None:
        """Running sums begin at zero."""
        self._discounted = torch.zeros(self._num_envs, device=self._device)
        self._episodes = torch.zeros(2, self._num_envs, device=self._device)

    def reseed(self, seed: int) -> None:
        """Nothing is random."""

    def state_dict(self) -> dict[str, Any]:
        """Networks, moments, running sums, and the number of steps."""
        return {
            "networks": self.networks.state_dict(),
            "steps": self._steps,
            "discounted": self._discounted,
            "episodes": self._episodes,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self.networks.load_state_dict(state["networks"])
        self._steps, self._discounted, self._episodes = (state[name] for name in ("steps", "discounted", "episodes"))

    def _after_each_step(self, rollout: RolloutBuffer, last_obs: Observations) -> Observations:
        """The observations that each step led to, `[T, N, …]` each."""
        groups = self.networks.inputs.groups
        after = {group: torch.cat((rollout.obs[group][1:], last_obs[group][None])) for group in groups}
        if self._cfg.episode_end == "next_episode":
            return after
        done = rollout.done[..., None]
        return {group: torch.where(done, rollout.final_obs[group], x) for group, x in after.items()}

    def _normalized(self, error: Tensor) -> Tensor:
        """`[T, N]`, divided by the standard deviation of its discounted sums, as far as it is known at a step."""
        if self._cfg.reward_normalization is None:
            return error
        sums = running_sums(error, self._discounted, self._cfg.reward_discount)
        self._discounted = sums[-1].clone()
        stds = []
        for seen in sums.split(1) if self._cfg.reward_normalization == "every_step" else (sums,):
            self.networks.sums.update(seen[..., None], self._ranks)
            stds.append(self.networks.sums.var.sqrt())
        std = torch.stack(stds)  # `[T, 1]`, or `[1, 1]` for the whole rollout
        return torch.where(std > 0, error / std, error)

    def _episode_means(self, rewards: Tensor, done: Tensor) -> Tensor:
        """Mean sums of `rewards` `[T, 2, N]` over the episodes that ended, `[2]`; NaN if none did."""
        total = torch.zeros_like(rewards[0])
        for reward, ended in zip(rewards, done, strict=True):
            sums = self._episodes + reward
            total += sums * ended
            self._episodes = sums * ~ended
        return total.sum(dim=1) / done.sum()
