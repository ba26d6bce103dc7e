"""Proximal policy optimisation: the wiring. The maths is in `returns`, `losses` and `schedules`.

Axes: `T` time, `N` environments, `B` samples of a mini-batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from fleetfoot.algorithms.config import PpoCfg
from fleetfoot.algorithms.losses import clip_fraction, surrogate_loss, value_loss
from fleetfoot.algorithms.returns import compute_gae, normalize_advantages, successor_values
from fleetfoot.algorithms.schedules import (
    adapt_learning_rate,
    planned_entropy_coef,
    planned_learning_rate,
    warmed_up_gamma,
)
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.threads import Pair
from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.models.actor_critic import Actor, Critic
from fleetfoot.storage.rollout import Batch, RolloutBuffer, shuffled_mini_batches

__all__ = ["BatchTransform", "Ppo"]

_MINI_BATCH_TAGS = (
    "Loss/surrogate",
    "Loss/entropy",
    "Policy/kl",
    "Policy/clip_fraction",
    "Loss/value",
    "Grad/actor_norm",
    "Grad/critic_norm",
    "NonFinite/gradient",
)


class BatchTransform(Protocol):
    """Makes another mini-batch of a mini-batch, as by augmentation."""

    def __call__(self, batch: Batch) -> Batch:
        """A batch to learn from instead."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What decides its next batch."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        ...


@final
class Ppo:
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with generalised advantage estimation.

    The critic is not run while collecting: its values are computed once per rollout, in one batch.

    Args:
        actor: The policy.
        critic: The value function.
        buffer: Where rollouts are collected.
        cfg: Hyper-parameters; the number of mini-batches divides the buffer's samples.
        seed: What exploration and shuffling follow from.
        transforms: What each mini-batch goes through before it is learned from, in order.
    """

    def __init__(
        self,
        actor: Actor,
        critic: Critic,
        buffer: RolloutBuffer,
        cfg: PpoCfg,
        seed: int,
        transforms: Sequence[BatchTransform] = (),
    ) -> None:
        self.actor, self.critic, self.buffer, self.cfg = actor, critic, buffer, cfg
        self._transforms = tuple(transforms)
        device = buffer.rewards.device
        self._exploration = make_generator(seed, "exploration", device)
        self._shuffling = make_generator(seed, "shuffling", device)
        self.learning_rate = torch.tensor(cfg.learning_rate, device=device)
        parameters = [p for p in (*actor.parameters(), *critic.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        self._both = Pair(device)
        self._num_updates = 0
        self._entropy_coef = cfg.entropy_coef

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Actor and critic."""
        return {"actor": self.actor, "critic": self.critic}

    @torch.no_grad()
    def act(self, obs: Observations) -> Tensor:
        """Sample actions `[N, A]` and remember how they came about."""
        distribution, _ = self.actor(obs)
        actions = distribution.sample(self._exploration)
        self.buffer.add_decision(obs, actions, distribution)
        return actions

    def record(self, result: StepResult) -> None:
        """Remember what the environment answered."""
        self.buffer.add_outcome(result)

    def update(self, last_obs: Observations) -> Mapping[str, Tensor]:
        """Learn from a full rollout; see `Algorithm.update`."""
        assert self.buffer.is_full
        rate = planned_learning_rate(self.cfg.schedule, self.cfg.learning_rate, self._num_updates)
        if rate is not None:
            self.learning_rate.fill_(rate)
        self._entropy_coef = planned_entropy_coef(self.cfg.entropy_coef, self.cfg.entropy_decay, self._num_updates)
        samples = self._evaluate(last_obs)
        metrics = {**self._count_non_finite(), **_fit_metrics(samples)}
        totals = torch.zeros(len(_MINI_BATCH_TAGS), device=samples.values.device)
        for _ in range(self.cfg.num_learning_epochs):
            for batch in shuffled_mini_batches(samples, self.cfg.num_mini_batches, self._shuffling):
                totals += self._learn(reduce(lambda b, transform: transform(b), self._transforms, batch))
        num_updates = self.cfg.num_learning_epochs * self.cfg.num_mini_batches
        metrics |= dict(zip(_MINI_BATCH_TAGS, (totals / num_updates).unbind(), strict=True))
        metrics["Loss/learning_rate"] = self.learning_rate.clone()
        metrics["Policy/mean_std"] = samples.distribution.std.mean()
        self.actor.inputs.update(self.buffer.obs)
        self.critic.inputs.update(self.buffer.obs)
        self.buffer.clear()
        self._num_updates += 1
        return metrics

    @torch.no_grad()
    def _evaluate(self, last_obs: Observations) -> Batch:
        """Values, advantages and returns of the rollout, as flat samples."""
        buffer, cfg = self.buffer, self.cfg
        values, _ = self.critic(buffer.obs)
        last_values, _ = self.critic(last_obs)
        final_values, _ = self.critic(buffer.final_obs)
        next_values = successor_values(values, last_values, final_values, buffer.truncated)
        advantages, returns = compute_gae(
            buffer.rewards,
            values,
            next_values,
            buffer.terminated,
            buffer.truncated,
            gamma=warmed_up_gamma(cfg.gamma, cfg.gamma_warmup, self._num_updates),
            lam=cfg.lam,
        )
        if not cfg.normalize_advantage_per_mini_batch:
            advantages = normalize_advantages(advantages)
        log_probs = buffer.distribution.log_prob(buffer.actions)
        return buffer.samples(log_probs, values, advantages, returns)

    def _learn(self, batch: Batch) -> Tensor:
        """One gradient step; returns its metrics, in the order of `_MINI_BATCH_TAGS`."""
        self.optimizer.zero_grad(set_to_none=True)
        # The networks share no parameter, so each has a loss, and a core, of its own.
        policy, value = self._both(lambda: self._learn_policy(batch), lambda: self._learn_value(batch))
        self.learning_rate.copy_(adapt_learning_rate(self.cfg.schedule, self.learning_rate, policy[2]))
        norms = torch.stack([_clip_gradient(net, self.cfg.max_grad_norm) for net in (self.actor, self.critic)])
        # A step with a NaN or infinite gradient is left out on the device, by the fused optimiser itself.
        skipped = 1.0 - norms.isfinite().all().to(norms.dtype)
        self.optimizer.found_inf = skipped  # pyright: ignore[reportAttributeAccessIssue] (torch.amp's own protocol)
        self.optimizer.step()
        return torch.cat((policy, value, norms, skipped[None]))

    def _learn_policy(self, batch: Batch) -> Tensor:
        """Gradient of `surrogate - c_e entropy`; returns (surrogate, entropy, KL, clip fraction)."""
        cfg = self.cfg
        distribution, _ = self.actor(batch.obs)
        advantages = batch.advantages
        if cfg.normalize_advantage_per_mini_batch:
            advantages = normalize_advantages(advantages)
        ratio = (distribution.log_prob(batch.actions) - batch.log_probs).exp()
        surrogate = surrogate_loss(ratio, advantages, cfg.clip_param)
        entropy = distribution.entropy().mean()
        (surrogate - self._entropy_coef * entropy).backward()
        with torch.no_grad():
            kl = batch.distribution.kl(distribution).mean()
            return torch.stack((surrogate, entropy, kl, clip_fraction(ratio, cfg.clip_param)))

    def _learn_value(self, batch: Batch) -> Tensor:
        """Gradient of `c_v value`; returns (value,)."""
        values, _ = self.critic(batch.obs)
        clip = self.cfg.clip_param if self.cfg.use_clipped_value_loss else None
        loss = value_loss(values, batch.returns, batch.values, clip)
        (self.cfg.value_loss_coef * loss).backward()
        return loss.detach()[None]

    def _count_non_finite(self) -> dict[str, Tensor]:
        """How many numbers of the rollout are NaN or infinite, by what they are."""
        checked = {"reward": self.buffer.rewards, "actions": self.buffer.actions}
        checked |= {f"obs/{group}": obs for group, obs in self.buffer.obs.items()}
        return {f"NonFinite/{name}": (~x.isfinite()).sum().float() for name, x in checked.items()}

    def train_mode(self) -> None:
        """Networks behave as in training."""
        self.actor.train()
        self.critic.train()

    def eval_mode(self) -> None:
        """Networks behave as in inference."""
        self.actor.eval()
        self.critic.eval()

    def state_dict(self) -> dict[str, Any]:
        """Networks with their normalisers, optimiser, learning rate, generators."""
        return {
            "actor": self.actor.state_dict(),
            "critic": self.critic.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "learning_rate": self.learning_rate,
            "num_updates": self._num_updates,
            "exploration": self._exploration.get_state(),
            "shuffling": self._shuffling.get_state(),
            "transforms": [transform.state_dict() for transform in self._transforms],
        }

    def load_state_dict(self, state: Mapping[str, Any], *, optimizer: bool = True) -> None:
        """Take over a state; without `optimizer`, only the networks with their normalisers."""
        self.actor.load_state_dict(state["actor"])
        self.critic.load_state_dict(state["critic"])
        if not optimizer:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.learning_rate.copy_(state["learning_rate"])
        self._num_updates = state["num_updates"]
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate  # loading replaced the tensor that the schedule writes into
        self._exploration.set_state(state["exploration"].cpu())
        self._shuffling.set_state(state["shuffling"].cpu())
        for transform, saved in zip(self._transforms, state["transforms"], strict=True):
            transform.load_state_dict(saved)


def _clip_gradient(network: nn.Module, max_norm: float) -> Tensor:
    """Scale the gradient of one network down to a norm; returns the norm it had, `[]`."""
    parameters: Iterable[Tensor] = [p for p in network.parameters() if p.grad is not None]
    norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
    clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


def _fit_metrics(samples: Batch) -> dict[str, Tensor]:
    """How much of the returns the critic explains: `1 - var(R - V) / var(R)`."""
    residual = (samples.returns - samples.values).var()
    return {"Policy/explained_variance": 1.0 - residual / samples.returns.var().clamp(min=1e-8)}
