"""Proximal policy optimisation: the wiring. The maths is in `returns`, `losses` and `schedules`.

Axes: `T` time, `N` environments, `L` steps of a sequence, `B` sequences of a mini-batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, final

import torch
from torch import Tensor, nn

from fleetfoot.algorithms.config import PpoCfg
from fleetfoot.algorithms.evaluation import evaluate
from fleetfoot.algorithms.extension import NO_EXTENSIONS, Extensions
from fleetfoot.algorithms.guard import count_non_finite, take_step
from fleetfoot.algorithms.losses import clip_fraction, surrogate_loss, value_loss
from fleetfoot.algorithms.optimizers import make_optimizer
from fleetfoot.algorithms.returns import compute_gae, join_advantages, normalize_advantages, successor_values
from fleetfoot.algorithms.schedules import adapt_learning_rate, planned, planned_learning_rate, warmed_up_gamma
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.threads import Pair
from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.models.actor_critic import Actor, Critic
from fleetfoot.models.memory import reset_state
from fleetfoot.storage.rollout import Batch, RolloutBuffer, mini_batches

__all__ = ["Ppo"]

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


@final
class Ppo:
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with generalised advantage estimation.

    The critic is not run while collecting: its values are computed once per rollout.

    Args:
        actor: The policy.
        critic: The value function.
        buffer: Where rollouts are collected.
        cfg: Hyper-parameters that fit the buffer (checked when the algorithm is built).
        seed: What exploration and shuffling follow from, on this rank.
        extensions: What else there is to be rewarded for and to learn from.
        ranks: Who else learns.
    """

    own_state = ("exploration", "shuffling", "memory", "extensions")

    def __init__(
        self,
        actor: Actor,
        critic: Critic,
        buffer: RolloutBuffer,
        cfg: PpoCfg,
        seed: int,
        extensions: Extensions = NO_EXTENSIONS,
        ranks: Ranks = ALONE,
    ) -> None:
        self.actor, self.critic, self.buffer, self.cfg, self.extensions = actor, critic, buffer, cfg, extensions
        self._ranks = ranks
        device = buffer.rewards.device
        self._seed_generators(seed)
        self.learning_rate = torch.tensor(cfg.learning_rate, device=device)
        added = [loss.trains for loss in extensions.losses if loss.trains is not None]
        trained = (actor, critic, *(network for network, _ in added))
        ranks.broadcast(trained)
        self._parts = _disjoint_parameters(trained)
        self._parameters = [p for part in self._parts for p in part]
        self._max_norms = (cfg.max_grad_norm, cfg.max_grad_norm, *(math.inf for _ in added))
        self.optimizer = self._make_optimizer([rate for _, rate in added], device)
        shared = not set(actor.parameters()).isdisjoint(critic.parameters())
        self._in_turn_or_at_once = Pair(device, at_once=not shared)
        self._tags = (*_MINI_BATCH_TAGS, *(f"Loss/{loss.name}" for loss in extensions.losses))
        self._num_critics = 1 if cfg.reward_groups is None else len(cfg.reward_groups)
        self._num_updates = 0
        self._entropy_coef = cfg.entropy_coef
        self.forget()

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Actor and critic."""
        return {"actor": self.actor, "critic": self.critic}

    @property
    def acts_alone(self) -> bool:
        """Always."""
        return True

    def reseed(self, seed: int) -> None:
        """Begin new random numbers for exploring and shuffling, and in extensions."""
        self._seed_generators(seed)
        for extension in self.extensions.by_name.values():
            extension.reseed(seed)

    def _seed_generators(self, seed: int) -> None:
        device = self.buffer.rewards.device
        self._exploration = make_generator(seed, "exploration", device)
        self._shuffling = make_generator(seed, "shuffling", device)

    def forget(self) -> None:
        """All that is remembered of the episodes is gone, as when they begin afresh."""
        num_envs, device = self.buffer.num_envs, self.buffer.rewards.device
        self._actor_state = self.actor.memory.initial_state(num_envs, device)
        self._critic_state = self.critic.memory.initial_state(num_envs, device)
        for extension in self.extensions.by_name.values():
            extension.forget()

    @torch.no_grad()
    def act(self, obs: Observations) -> Tensor:
        """Sample actions `[N, A]` and remember how they came about."""
        distribution, state = self.actor.step(obs, self._actor_state)
        actions = distribution.sample(self._exploration)
        self.buffer.add_decision(obs, self._actor_state, actions, distribution)
        self._actor_state = state
        return actions

    def record(self, result: StepResult) -> None:
        """Remember what the environment answered."""
        self.buffer.add_outcome(result)
        self._actor_state = reset_state(self._actor_state, result.terminated | result.truncated)

    def update(self, last_obs: Observations) -> Mapping[str, Tensor]:
        """Learn from a full rollout; see `Algorithm.update`."""
        assert self.buffer.is_full
        self._follow_plans()
        metrics = {**count_non_finite(self.buffer), **self._add_bonuses(last_obs)}
        sequences = self._evaluate(last_obs)
        metrics |= _fit_metrics(sequences)
        totals = torch.zeros(len(self._tags), device=sequences.values.device)
        cfg = self.cfg
        for order in self._orders(len(sequences)):
            for batch in mini_batches(sequences, cfg.num_mini_batches, order):
                totals += self._learn(batch)
        num_updates = cfg.num_learning_epochs * cfg.num_mini_batches
        metrics |= dict(zip(self._tags, (totals / num_updates).unbind(), strict=True))
        metrics["Loss/learning_rate"] = self.learning_rate.clone()
        metrics["Policy/mean_std"] = sequences.distribution.std.mean()
        self._end_update()
        return metrics

    def _follow_plans(self) -> None:
        """What changes from update to update whatever happens."""
        cfg = self.cfg
        rate = planned_learning_rate(cfg.schedule, cfg.learning_rate, self._num_updates)
        if rate is not None:
            self.learning_rate.fill_(rate)
        self._entropy_coef = planned(cfg.entropy_schedule, cfg.entropy_coef, self._num_updates)

    @property
    def _only_critic_learns(self) -> bool:
        """Whether the actor stays as it is for now, with its normaliser."""
        return self._num_updates < self.cfg.critic_warmup

    def _end_update(self) -> None:
        """What is learned once per rollout; then the next one can be collected."""
        if not self._only_critic_learns:
            self.actor.inputs.update(self.buffer.obs, self._ranks)
        self.critic.inputs.update(self.buffer.obs, self._ranks)
        for bonus in self.extensions.bonuses:
            bonus.end_update(self.buffer)
        self.buffer.clear()
        self._num_updates += 1

    @torch.no_grad()
    def _add_bonuses(self, last_obs: Observations) -> dict[str, Tensor]:
        """Add what the extensions reward to the rewards; returns their metrics."""
        metrics: dict[str, Tensor] = {}
        given = {bonus.name: bonus.reward(self.buffer, last_obs) for bonus in self.extensions.bonuses}
        for name, (rewards, said) in given.items():
            self.buffer.rewards += rewards
            metrics |= said
            self.buffer.group_rewards[name] = rewards
        return metrics

    @torch.no_grad()
    def _evaluate(self, last_obs: Observations) -> Batch:
        """Values, advantages and returns of the rollout, in sequences; the transforms have seen them."""
        buffer, cfg = self.buffer, self.cfg
        rewards, terminated, truncated = self._outcome()
        said = evaluate(self.critic, buffer, last_obs, self._critic_state)
        self._critic_state = said.state_after
        at_limit = said.final_values if cfg.time_limit_bootstrap == "final_observation" else said.values
        next_values = successor_values(said.values, said.last_values, at_limit, truncated)
        advantages, returns = compute_gae(
            rewards,
            said.values,
            next_values,
            terminated,
            truncated,
            gamma=warmed_up_gamma(cfg.gamma, cfg.gamma_warmup, self._num_updates),
            lam=cfg.lam,
        )
        self.critic.update_units(returns, self._ranks)
        if cfg.reward_groups is not None:
            advantages = join_advantages(advantages, cfg.reward_groups.values(), self._ranks)
        elif not cfg.normalize_advantage_per_mini_batch:
            advantages = normalize_advantages(advantages, self._ranks)
        log_probs = buffer.distribution.log_prob(buffer.actions)
        sequences = buffer.sequences(log_probs, said.values, advantages, returns, said.state_before)
        for transform in self.extensions.transforms:
            transform.prepare(buffer, sequences)
        return sequences

    def _outcome(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rewards, and where episodes terminated and were truncated, `[T, N]` each.

        If groups of rewards have critics of their own, all three have an axis for them, `[T, N, G]` and `[T, N, 1]`.
        """
        buffer, groups = self.buffer, self.cfg.reward_groups
        if groups is None:
            return buffer.rewards, buffer.terminated, buffer.truncated
        rewards = torch.stack([buffer.group_rewards[name] for name in groups], dim=-1)
        return rewards, buffer.terminated[..., None], buffer.truncated[..., None]

    def _orders(self, size: int) -> Iterator[Tensor]:
        """For each epoch, in which order the sequences are learned from, int64 `[…]`."""
        cfg, device = self.cfg, self.buffer.rewards.device
        used = size - size % cfg.num_mini_batches
        order = torch.arange(used, device=device)
        for epoch in range(cfg.num_learning_epochs):
            if cfg.shuffle == "every_epoch" or (cfg.shuffle == "once" and epoch == 0):
                order = torch.randperm(used, generator=self._shuffling, device=device)
            yield order

    def _learn(self, collected: Batch) -> Tensor:
        """One gradient step; returns its metrics, in the order of `_tags`."""
        if self.cfg.normalize_advantage_per_mini_batch:
            collected = replace(collected, advantages=normalize_advantages(collected.advantages, self._ranks))
        batch = reduce(lambda b, extension: extension.transform(b), self.extensions.transforms, collected)
        self.optimizer.zero_grad(set_to_none=True)
        policy, value = self._in_turn_or_at_once(
            lambda: self._learn_policy(collected, batch), lambda: self._learn_value(batch)
        )
        self._ranks.average_gradients(self._parameters)
        policy, extra = policy.tensor_split((4,))
        if self._only_critic_learns:  # the rest is computed all the same, for what extensions learn from it
            for parameter in self._parts[0]:
                parameter.grad = None
        else:
            kl = self._ranks.mean(policy[2])
            self.learning_rate.copy_(adapt_learning_rate(self.cfg.schedule, self.learning_rate, kl))
        norms, skipped = take_step(self.optimizer, self._parts, self._max_norms)
        return torch.cat((policy, value, norms[:2], skipped[None], extra))

    def _learn_policy(self, collected: Batch, batch: Batch) -> Tensor:
        """Gradient of `surrogate - c_e entropy + extra`; returns (surrogate, entropy, KL, clip fraction, *extra).

        Entropy and KL are those of the collected sequences, which lead the batch: what transforms add is not counted.
        """
        clip, losses, own = self.cfg.clip_param, self.extensions.losses, len(collected)
        distribution, _ = self.actor(batch.obs, batch.actor_state, batch.reset)
        ratio = (distribution.log_prob(batch.actions) - batch.log_probs).exp()
        surrogate = surrogate_loss(ratio, batch.advantages, clip)
        entropy = distribution.entropy()[:, :own].mean()
        extra = [loss.loss(collected, batch, distribution) for loss in losses]
        weighted = sum(loss.weight * value for loss, value in zip(losses, extra, strict=True))
        (surrogate - self._entropy_coef * entropy + weighted).backward()
        with torch.no_grad():
            kl = batch.distribution.kl(distribution)[:, :own].mean()
            return torch.stack((surrogate, entropy, kl, clip_fraction(ratio, clip), *extra))

    def _learn_value(self, batch: Batch) -> Tensor:
        """Gradient of `c_v value`, summed over the groups of rewards; returns (value,)."""
        values, _ = self.critic(batch.obs, batch.critic_state, batch.reset)
        clip = self.cfg.clip_param if self.cfg.use_clipped_value_loss else None
        units = self.critic.in_units
        loss = self._num_critics * value_loss(units(values), units(batch.returns), units(batch.values), clip)
        (self.cfg.value_loss_coef * loss).backward()
        return loss.detach()[None]

    def _make_optimizer(self, rates: Iterable[float], device: torch.device) -> torch.optim.Optimizer:
        """One for all: actor and critic with the rate that is scheduled, what extensions train with its own."""
        groups: list[dict[str, Any]] = [{"params": [*self._parts[0], *self._parts[1]]}]
        for part, rate in zip(self._parts[2:], rates, strict=True):
            groups.append({"params": part, "lr": torch.tensor(rate, device=device)})
        return make_optimizer(self.cfg.optimizer, groups, self.learning_rate)

    def train_mode(self) -> None:
        """Networks behave as in training."""
        self.actor.train()
        self.critic.train()

    def eval_mode(self) -> None:
        """Networks behave as in inference."""
        self.actor.eval()
        self.critic.eval()

    def state_dict(self) -> dict[str, Any]:
        """Networks with their normalisers, optimiser, learning rate, generators, memory, extensions."""
        return {
            "actor": self.actor.state_dict(),
            "critic": self.critic.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "learning_rate": self.learning_rate,
            "num_updates": self._num_updates,
            "exploration": self._exploration.get_state(),
            "shuffling": self._shuffling.get_state(),
            "memory": {"actor": self._actor_state, "critic": self._critic_state},
            "extensions": {name: extension.state_dict() for name, extension in self.extensions.by_name.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self.actor.load_state_dict(state["actor"])
        self.critic.load_state_dict(state["critic"])
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate  # loading replaced the tensors that the schedule writes into
        self.learning_rate.copy_(state["learning_rate"])
        self._num_updates = state["num_updates"]
        self._exploration.set_state(state["exploration"].cpu())
        self._shuffling.set_state(state["shuffling"].cpu())
        self._actor_state, self._critic_state = (tuple(state["memory"][name]) for name in ("actor", "critic"))
        for name, extension in self.extensions.by_name.items():
            extension.load_state_dict(state["extensions"][name])


def _disjoint_parameters(networks: Iterable[nn.Module]) -> list[list[Tensor]]:
    """What is trained of each network; what several have in common counts for the first."""
    seen: set[Tensor] = set()
    parts: list[list[Tensor]] = []
    for network in networks:
        parts.append([p for p in network.parameters() if p.requires_grad and p not in seen])
        seen.update(parts[-1])
    return parts


def _fit_metrics(sequences: Batch) -> dict[str, Tensor]:
    """How much of the returns the critic explains: `1 - var(R - V) / var(R)`."""
    values, returns = (x.reshape(*sequences.reset.shape, -1).sum(-1) for x in (sequences.values, sequences.returns))
    residual = (returns - values).var()
    return {"Policy/explained_variance": 1.0 - residual / returns.var().clamp(min=1e-8)}
