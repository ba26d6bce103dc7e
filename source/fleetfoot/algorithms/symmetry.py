"""Learning from mirror images.

In each mini-batch every sequence is replaced by one of its mirror images, or left as it is, at random: over the epochs
the policy learns from all of them, and no epoch costs more. What the old policy and critic said of a step holds for
its image as far as they are symmetric themselves (Mittal et al. 2024, arXiv:2403.04359, who add all images to every
batch instead).

Axes: `M` mirror images and the robot itself, `L` steps of a sequence, `B` sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.storage.rollout import Batch

__all__ = ["MirrorAugmentation"]


@final
class MirrorAugmentation:
    """Replaces each sequence of a mini-batch by a random one of its mirror images.

    Args:
        images: The mirror images; the robot itself is added.
        groups: Observation groups in the batches.
        generator: Draws the images.
    """

    def __init__(self, images: Sequence[MirrorImage], groups: Sequence[str], generator: torch.Generator) -> None:
        self._generator = generator
        self._num_images = 1 + len(images)
        device = generator.device
        self._actions = _Table([image.actions for image in images], device)
        self._groups = {group: _Table([image.observations[group] for image in images], device) for group in groups}

    def __call__(self, batch: Batch) -> Batch:
        """A batch of as many sequences, each as a whole in one image."""
        image = torch.randint(self._num_images, (len(batch),), generator=self._generator, device=batch.actions.device)
        return replace(
            batch,
            obs={group: self._groups[group](x, image) for group, x in batch.obs.items()},
            actions=self._actions(batch.actions, image),
            distribution=batch.distribution.mirrored(
                lambda x: self._actions(x, image), lambda x: self._actions.unsigned(x, image)
            ),
        )

    @property
    def name(self) -> str:
        """What its state is saved under."""
        return "mirror_augmentation"

    def state_dict(self) -> dict[str, Any]:
        """The generator's state."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self._generator.set_state(state["generator"].cpu())


@final
class _Table:
    """The signed permutations of all images as tensors, `[M, O]`."""

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
