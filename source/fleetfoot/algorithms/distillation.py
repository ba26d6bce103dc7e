"""Distillation: the wiring. The maths is in `losses` and `schedules`.

Axes: `T` time, `N` environments, `L` steps of a window, `B` environments of a mini-batch, `A` actions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from fleetfoot.algorithms.config import DistillationCfg
from fleetfoot.algorithms.guard import count_non_finite, take_step
from fleetfoot.algorithms.losses import imitation_loss
from fleetfoot.algorithms.optimizers import make_optimizer
from fleetfoot.algorithms.schedules import planned
from fleetfoot.algorithms.teachers import Teachers
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.vec_env import Observations, StepResult
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.memory import State, reset_state
from fleetfoot.storage.rollout import RolloutBuffer
from fleetfoot.storage.windows import Window, first_state, windows

__all__ = ["Distillation"]

_STEP_TAGS = ("Grad/student_norm", "NonFinite/gradient")


@final
class Distillation:
    """A student learns what a teacher would have done in the states that it got into itself.

    The student acts as it would when it explores; the teacher says at each step what it would have done, and acts in a
    share of the environments itself if it is asked to (DAgger: Ross et al. 2011, arXiv:1011.0686).

    Args:
        student: Who learns.
        teachers: Who is imitated.
        buffer: Where rollouts are collected, with what the teachers say.
        cfg: Hyper-parameters that fit the buffer (checked when the algorithm is built).
        seed: What exploration, shuffling and mixing follow from, on this rank.
        ranks: Who else learns.
    """

    own_state = ("generators", "memory")

    def __init__(
        self,
        student: Actor,
        teachers: Teachers,
        buffer: RolloutBuffer,
        cfg: DistillationCfg,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.student, self.teachers, self.buffer, self.cfg = student, teachers, buffer, cfg
        self._ranks = ranks
        device = buffer.rewards.device
        self.reseed(seed)
        ranks.broadcast((student,))
        self._parameters = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(cfg.optimizer, self._parameters, cfg.learning_rate)
        self._learning_rate = torch.tensor(cfg.learning_rate, device=device)
        self._teacher_acts = torch.zeros(buffer.num_envs, 1, dtype=torch.bool, device=device)
        self._num_updates = 0
        self.forget()

    @property
    def actor(self) -> Actor:
        """The student."""
        return self.student

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Student and teachers."""
        return {"student": self.student, **self.teachers.actors}

    @property
    def acts_alone(self) -> bool:
        """Whether no teacher acted in this rollout."""
        return self._teacher_share == 0.0

    @property
    def _teacher_share(self) -> float:
        mixing = self.cfg.mixing
        return 0.0 if mixing is None else planned(mixing.schedule, mixing.share, self._num_updates)

    def reseed(self, seed: int) -> None:
        """Begin new random numbers for exploring, shuffling and mixing."""
        device = self.buffer.rewards.device
        self._generators = {use: make_generator(seed, use, device) for use in ("exploration", "shuffling", "mixing")}

    def forget(self) -> None:
        """All that is remembered of the episodes is gone, as when they begin afresh."""
        self._state = self.student.memory.initial_state(self.buffer.num_envs, self.buffer.rewards.device)
        self.teachers.forget()

    @torch.no_grad()
    def act(self, obs: Observations) -> Tensor:
        """Actions `[N, A]`, most of them the student's; what the teachers would do is remembered with them."""
        assert self.teachers.sources
        distribution, state = self.student.step(obs, self._state)
        label = self.teachers.label(obs)
        actions = distribution.sample(self._generators["exploration"])
        if self.cfg.mixing is not None:
            if self.cfg.mixing.draw == "step" or self.buffer.is_empty:
                self._draw_who_acts()
            actions = torch.where(self._teacher_acts, label.mode(), actions)
        self.buffer.add_decision(obs, self._state, actions, label)
        self._state = state
        return actions

    def _draw_who_acts(self) -> None:
        generator, acts = self._generators["mixing"], self._teacher_acts
        chance = torch.rand(acts.shape, generator=generator, device=acts.device)
        self._teacher_acts = chance < self._teacher_share

    def record(self, result: StepResult) -> None:
        """Remember what the environment answered."""
        done = result.terminated | result.truncated
        self.buffer.add_outcome(result)
        self._state = reset_state(self._state, done)
        self.teachers.record(done)

    def update(self, last_obs: Observations) -> Mapping[str, Tensor]:
        """Learn from a full rollout; see `Algorithm.update`."""
        assert self.buffer.is_full
        cfg, buffer = self.cfg, self.buffer
        metrics = count_non_finite(buffer)
        metrics["NonFinite/teacher"] = (~buffer.distribution.mode().isfinite()).sum().float()
        metrics |= self._learn_from_windows()
        metrics["Loss/learning_rate"] = self._learning_rate
        if cfg.mixing is not None:
            metrics["Policy/teacher_share"] = torch.full_like(self._learning_rate, self._teacher_share)
        self.student.inputs.update(buffer.obs, self._ranks)
        buffer.clear()
        self._num_updates += 1
        return metrics

    def _learn_from_windows(self) -> dict[str, Tensor]:
        """All passes over the rollout; returns their metrics."""
        cfg, buffer = self.cfg, self.buffer
        losses, steps = torch.zeros(2, device=buffer.rewards.device), torch.zeros(2, device=buffer.rewards.device)
        num_windows = num_steps = begun = 0
        state: State = ()
        for envs in self._mini_batches():
            state = first_state(buffer, envs)
            for window in windows(buffer, cfg.gradient_length, envs, begun):
                said, state = self._follow(window, state, is_first=begun == 0)
                losses += said
                num_windows += 1
                begun += len(window.reset)
                if begun == cfg.gradient_length or cfg.window_remainder == "shorter":
                    steps += self._take_step()
                    num_steps, begun = num_steps + 1, 0
        if cfg.memory_after_update == "learning":
            self._state = reset_state(state, buffer.done[-1])
            self.teachers.forget()
        loss, std = losses.unbind()
        num_passes = cfg.num_learning_epochs * cfg.num_mini_batches
        means = {"Loss/behavior": loss / (num_passes * buffer.num_steps), "Policy/mean_std": std / num_windows}
        return means | dict(zip(_STEP_TAGS, (steps / max(num_steps, 1)).unbind(), strict=True))

    def _mini_batches(self) -> Iterator[Tensor]:
        """For each pass over the rollout, the environments that are learned from together, int64 `[B]`."""
        cfg, num_envs, device = self.cfg, self.buffer.num_envs, self.buffer.rewards.device
        order = torch.arange(num_envs, device=device)
        for _ in range(cfg.num_learning_epochs):
            if cfg.num_mini_batches > 1:
                order = torch.randperm(num_envs, generator=self._generators["shuffling"], device=device)
            yield from order.view(cfg.num_mini_batches, -1)

    def _follow(self, window: Window, state: State, *, is_first: bool) -> tuple[Tensor, State]:
        """The gradient of a window, or of a part of it.

        Args:
            window: What is learned from.
            state: What the student remembers before it, `[layers, B, H]` each.
            is_first: Whether its gradient replaces what there is, or is added to it.

        Returns:
            The sum of its losses and the mean standard deviation, `[2]`, and what is remembered after it.
        """
        if is_first:
            self.optimizer.zero_grad(set_to_none=True)
        distribution, state = self.student(window.obs, state, window.reset)
        loss = imitation_loss(self.cfg.loss, distribution, window.distribution).sum()
        loss.backward()
        return torch.stack((loss.detach(), distribution.std.detach().mean())), tuple(x.detach() for x in state)

    def _take_step(self) -> Tensor:
        """One gradient step; returns its metrics in the order of `_STEP_TAGS`, `[2]`."""
        self._ranks.average_gradients(self._parameters)
        norms, skipped = take_step(self.optimizer, (self._parameters,), (self.cfg.max_grad_norm or math.inf,))
        return torch.stack((norms[0], skipped))

    def train_mode(self) -> None:
        """The student behaves as in training; teachers never do."""
        self.student.train()

    def eval_mode(self) -> None:
        """The student behaves as in inference."""
        self.student.eval()

    def state_dict(self) -> dict[str, Any]:
        """Networks with their normalisers, optimiser, generators, memory, and where the teachers come from."""
        return {
            **{name: network.state_dict() for name, network in self.networks.items()},
            "teacher_sources": self.teachers.sources,
            "optimizer": self.optimizer.state_dict(),
            "num_updates": self._num_updates,
            "generators": {use: generator.get_state() for use, generator in self._generators.items()},
            "memory": {"student": self._state, "teachers": self.teachers.states},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        for name, network in self.networks.items():
            network.load_state_dict(state[name])
        self.teachers.sources = tuple(state["teacher_sources"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = self.cfg.learning_rate
        self._num_updates = state["num_updates"]
        for use, generator in self._generators.items():
            generator.set_state(state["generators"][use].cpu())
        self._state = tuple(state["memory"]["student"])
        self.teachers.states = [tuple(remembered) for remembered in state["memory"]["teachers"]]
