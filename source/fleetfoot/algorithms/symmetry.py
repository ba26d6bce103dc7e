"""Learning from mirror images (Mittal et al. 2024, arXiv:2403.04359).

What the old policy and critic said of a step (its probability, value, advantage) holds for its mirror image as far as
they are symmetric themselves. Memory is nothing that could be mirrored: what a network keeps of the past has no left
and right. So the memory before the image of a sequence is found by showing the network the image of the whole episode:
once per rollout it goes through all images of it, and carries what it remembers from rollout to rollout as it does for
the episodes themselves.

Axes: `M` mirror images, `T` time, `N` environments, `S` sequences of a rollout, `L` steps of a sequence, `B` sequences
of a mini-batch, `O` size of what is mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fleetfoot.algorithms.config import SymmetryCfg
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.models.actor_critic import Actor, Critic
from fleetfoot.models.distributions import Distribution
from fleetfoot.models.memory import State, reset_state
from fleetfoot.storage.rollout import Batch, RolloutBuffer

__all__ = ["Symmetry"]


@final
class Symmetry:
    """Shows the policy mirror images of what was collected, and lets it act alike in all of them.

    A transform of mini-batches, whatever the config; with a weight, also a loss.

    Args:
        cfg: How images are learned from.
        images: The mirror images; the robot itself is added.
        groups: Observation groups in the rollout.
        actor: The policy.
        critic: The value function.
        num_envs: `N`.
        generator: Draws images.
    """

    def __init__(
        self,
        cfg: SymmetryCfg,
        images: Sequence[MirrorImage],
        groups: Sequence[str],
        actor: Actor,
        critic: Critic,
        num_envs: int,
        generator: torch.Generator,
    ) -> None:
        self._cfg, self._actor, self._generator = cfg, actor, generator
        self._mirrors = _Mirrors(images, groups, generator.device)
        self._actor_memory = _ImageMemory(actor, self._mirrors, num_envs)
        self._critic_memory = _ImageMemory(critic, self._mirrors, num_envs)

    @property
    def name(self) -> str:
        """What its state is saved under, and its loss logged below `Loss/`."""
        return "symmetry"

    @property
    def weight(self) -> float:
        """What the loss is multiplied by."""
        return self._cfg.mirror_loss_coef

    @property
    def trains(self) -> tuple[nn.Module, float] | None:
        """Nothing but the actor."""
        return None

    def prepare(self, rollout: RolloutBuffer, sequences: Batch) -> None:
        """Find what the networks remember before each sequence in each image."""
        self._actor_memory.follow(rollout, sequences.actor_state)
        self._critic_memory.follow(rollout, sequences.critic_state)

    def transform(self, batch: Batch) -> Batch:
        """The batch with images in it, each sequence as a whole in one image."""
        match self._cfg.augmentation:
            case "replace":
                shape = (len(batch),)
                image = torch.randint(self._mirrors.num, shape, generator=self._generator, device=batch.index.device)
                return self._mirrored(batch, image)
            case "append":
                return self._with_all_images(batch)
            case None:
                return batch
            case _:
                assert_never(self._cfg.augmentation)

    def loss(self, collected: Batch, batch: Batch, distribution: Distribution) -> Tensor:
        """`mean((a(g(o)) - g(a(o)))^2)` over all images `g`, where `a` is the policy's action without exploration.

        The action that is aimed at, `g(a(o))`, is a constant.
        """
        if self._cfg.augmentation != "append":
            everything = self._with_all_images(collected)
            distribution, _ = self._actor(everything.obs, everything.actor_state, everything.reset)
        actions, own = distribution.mode(), len(collected)
        images = self._mirrors.each(own)[own:]
        wanted = self._mirrors.actions(actions[:, :own].detach().repeat(1, self._mirrors.num - 1, 1), images)
        return F.mse_loss(actions[:, own:], wanted)

    def forget(self) -> None:
        """Nothing has been seen."""
        self._actor_memory.forget()
        self._critic_memory.forget()

    def reseed(self, seed: int) -> None:
        """Begin to draw other images."""
        self._generator = make_generator(seed, "mirroring", self._generator.device)

    def state_dict(self) -> dict[str, Any]:
        """The generator's state, and what the networks remember of the images of the running episodes."""
        memory = {"actor": self._actor_memory.carried, "critic": self._critic_memory.carried}
        return {"generator": self._generator.get_state(), "memory": memory}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self._generator.set_state(state["generator"].cpu())
        memory = state["memory"]
        self._actor_memory.carried, self._critic_memory.carried = tuple(memory["actor"]), tuple(memory["critic"])

    def _with_all_images(self, batch: Batch) -> Batch:
        """The batch, and after it all its sequences in the first image, then in the second, …; `(1 + M) B`."""
        own = torch.arange(len(batch), device=batch.index.device)
        return self._mirrored(batch.select(own.repeat(self._mirrors.num)), self._mirrors.each(len(batch)))

    def _mirrored(self, batch: Batch, image: Tensor) -> Batch:
        """Each sequence of a batch in its image, int64 `[B]`."""
        mirrors = self._mirrors
        return replace(
            batch,
            obs={group: mirrors.groups[group](x, image) for group, x in batch.obs.items()},
            actions=mirrors.actions(batch.actions, image),
            distribution=batch.distribution.mirrored(
                lambda x: mirrors.actions(x, image), lambda x: mirrors.actions.unsigned(x, image)
            ),
            actor_state=self._actor_memory(image, batch.index),
            critic_state=self._critic_memory(image, batch.index),
        )


@final
class _Mirrors:
    """All images, of which number 0 is the robot itself, as maps of actions and of each observation group."""

    def __init__(self, images: Sequence[MirrorImage], groups: Sequence[str], device: torch.device) -> None:
        self.num = 1 + len(images)
        self.actions = _Map([image.actions for image in images], device)
        self.groups = {group: _Map([image.observations[group] for image in images], device) for group in groups}
        self.device = device

    def each(self, size: int) -> Tensor:
        """The number of each image `size` times, in order, int64 `[(1 + M) size]`."""
        return torch.arange(self.num, device=self.device).repeat_interleave(size)


@final
class _Map:
    """The signed permutations of all images as tensors, `[1 + M, O]`."""

    def __init__(self, maps: Sequence[SignedPermutation], device: torch.device) -> None:
        rows = [SignedPermutation.identity(len(maps[0])), *maps]
        self._index = torch.tensor([row.index for row in rows], device=device)
        self._sign = torch.tensor([row.sign for row in rows], device=device)

    def __call__(self, x: Tensor, image: Tensor) -> Tensor:
        """Each sequence of `x` `[L, B, O]` in its image `[B]`."""
        return self.unsigned(x, image) * self._sign[image]

    def unsigned(self, x: Tensor, image: Tensor) -> Tensor:
        """The same for what has no sign, as standard deviations."""
        return x.gather(2, self._index[image].expand_as(x))


@final
class _ImageMemory:
    """What a network remembers in each image.

    Args:
        network: The actor or the critic.
        mirrors: The images.
        num_envs: `N`.
    """

    def __init__(self, network: Actor | Critic, mirrors: _Mirrors, num_envs: int) -> None:
        self._network, self._mirrors, self._num_envs = network, mirrors, num_envs
        self._before: State = ()  # each sequence, the robot itself first: `[layers, (1 + M) S, H]` each
        self._num_sequences = 0
        self.carried: State = ()
        """After the last rollout, `[layers, M N, H]` each; empty for a network without memory."""

    def forget(self) -> None:
        """Nothing has been seen."""
        num, device = (self._mirrors.num - 1) * self._num_envs, self._mirrors.device
        self.carried = self._network.memory.initial_state(num, device)

    @torch.no_grad()
    def follow(self, rollout: RolloutBuffer, own: State) -> None:
        """Go through the images of a rollout, as the network went through the rollout itself.

        Args:
            rollout: What was collected.
            own: What the network remembered before each sequence of it, `[layers, S, H]` each.
        """
        if not own:
            return
        num, length = self._mirrors.num - 1, rollout.sequence_length
        images, maps = self._mirrors.each(self._num_envs)[self._num_envs :], self._mirrors.groups
        groups = (*self._network.inputs.groups, *self._network.inputs.images)
        obs = {group: maps[group](rollout.obs[group].repeat(1, num, 1), images) for group in groups}
        done = rollout.done.repeat(1, num)
        reset = done.roll(1, dims=0)
        before, state = [], self.carried
        for start in range(0, rollout.num_steps, length):
            before.append(state)
            steps = slice(start, start + length)
            reset[start] = False  # the state is already what it is after the reset
            x = self._network.inputs({group: value[steps] for group, value in obs.items()})
            _, state = self._network.memory(x, state, reset[steps])
            state = reset_state(state, done[start + length - 1])
        self.carried, self._num_sequences = state, own[0].shape[1]
        mirrored = [torch.stack(x, dim=1).unflatten(2, (num, -1)) for x in zip(*before, strict=True)]
        self._before = tuple(  # `[layers, T / L, M, N, H]` becomes `[layers, M S, H]`
            torch.cat((x, y.transpose(1, 2).flatten(1, 3)), dim=1) for x, y in zip(own, mirrored, strict=True)
        )

    def __call__(self, image: Tensor, index: Tensor) -> State:
        """Before the sequences `index` `[B]` of the rollout in their images `[B]`, `[layers, B, H]` each."""
        return tuple(x.index_select(1, image * self._num_sequences + index) for x in self._before)
