"""What Gymnasium's spaces mean to networks here: observation groups of float32, and continuous actions.

    space                            groups
    Box                              `policy`
    Dict or Tuple, also nested       one for each entry, by its path: `camera/rgb`, `0`;
                                     and `policy`, all flat ones in their order, unless an entry has that name

A `Box` of three axes, or of bytes and two, is an image, `[C, H, W]` with bytes in [0, 1]; any other is flat, `[O]`.

Axes: `N` environments, `O` observations, `C` channels, `A` actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, TypeAlias, final

import numpy as np
import torch
from gymnasium import Space, spaces
from numpy.typing import NDArray
from torch import Tensor

from fleetfoot.core.vec_env import ActionSpec, Observations
from fleetfoot.errors import ContractError

__all__ = ["Actions", "Bounds", "Groups", "Leaf", "read_actions", "read_groups"]

POLICY = "policy"
Bounds: TypeAlias = Literal["clip", "rescale"]
_MAX_CHANNELS = 4  # red, green, blue, and transparency or depth


@final
@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One `Box` in an observation space."""

    path: tuple[str | int, ...]
    """Keys and positions that lead to it."""
    shape: tuple[int, ...]
    """What a network gets: `(O,)`, or `(C, H, W)`."""
    has_channels_last: bool = False
    """Whether it is an image `[H, W, C]`, as Gymnasium's are."""
    scale: float = 1.0
    """What numbers are multiplied by."""

    @property
    def name(self) -> str:
        """Name of its group."""
        return "/".join(map(str, self.path)) or POLICY

    @property
    def is_flat(self) -> bool:
        """Whether it is no image."""
        return len(self.shape) == 1

    def read(self, observations: Any) -> Tensor:
        """Its tensor `[N, …]` in a batch of observations: a copy of its own, float32, on the CPU."""
        for key in self.path:
            observations = observations[key]
        # One pass over the numbers: what is float64 is converted by the copy, which shares nothing with what is copied.
        values = torch.from_numpy(np.array(observations, dtype=np.float32))
        if self.scale != 1.0:
            values *= self.scale
        if self.has_channels_last:
            values = values.permute(0, 3, 1, 2)
        return values.reshape(len(values), *self.shape)


@final
@dataclass(frozen=True, kw_only=True)
class Groups:
    """The observation groups of a space."""

    leaves: tuple[Leaf, ...]
    joined: tuple[str, ...]
    """Names of the leaves that `policy` is made of; empty where it is a leaf itself, or nothing is flat."""

    @property
    def spec(self) -> Mapping[str, tuple[int, ...]]:
        """Group name to the shape of one environment's observation."""
        shapes = {leaf.name: leaf.shape for leaf in self.leaves}
        return {POLICY: (sum(shapes[name][0] for name in self.joined),), **shapes} if self.joined else shapes

    def read(self, observations: Any) -> dict[str, Tensor]:
        """A batch of Gymnasium's observations as groups `[N, …]`, float32 on the CPU."""
        found = {leaf.name: leaf.read(observations) for leaf in self.leaves}
        return {POLICY: torch.cat([found[name] for name in self.joined], dim=1), **found} if self.joined else found

    def read_rows(self, rows: list[Any]) -> Observations:
        """The same from single observations, one for each of some environments."""
        return self.read(_stacked(rows))


@final
@dataclass(frozen=True, kw_only=True)
class Actions:
    """The actions of a `Box`."""

    low: NDArray[np.float32]
    """Smallest action, `[A]`; minus infinity where there is none."""
    high: NDArray[np.float32]
    """Largest action, `[A]`."""
    shape: tuple[int, ...]
    """Of one environment's action, as Gymnasium wants it; it has `A` numbers."""
    dtype: np.dtype[Any]
    bounds: Bounds

    @property
    def spec(self) -> ActionSpec:
        """What `step` accepts."""
        size = len(self.low)
        if self.bounds == "rescale":
            return ActionSpec(size=size, low=(-1.0,) * size, high=(1.0,) * size)
        if not self._are_bounded:
            return ActionSpec(size=size)
        return ActionSpec(size=size, low=tuple(self.low.tolist()), high=tuple(self.high.tolist()))

    def apply(self, actions: Tensor) -> NDArray[Any]:
        """Actions `[N, A]` of a policy, as the environment takes them.

        `clip`: `min(max(a, low), high)`. `rescale`: `low + (high - low) (clip(a, -1, 1) + 1) / 2`.
        """
        given = actions.detach().to("cpu", torch.float32).numpy()
        if self.bounds == "rescale":
            given = self.low + (self.high - self.low) * (0.5 * (given.clip(-1.0, 1.0) + 1.0))
        return given.clip(self.low, self.high).astype(self.dtype, copy=False).reshape(-1, *self.shape)

    @property
    def _are_bounded(self) -> bool:
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())


def read_groups(space: Space[Any]) -> Groups:
    """The observation groups of the space of one environment.

    Raises:
        ContractError: There is something in it that no network here can read.
    """
    leaves = tuple(_leaves(space, ()))
    if not leaves:
        raise ContractError("observation_space", got=repr(space), expected="something to see")
    flat = tuple(leaf.name for leaf in leaves if leaf.is_flat)
    has_policy = any(leaf.name == POLICY for leaf in leaves)
    return Groups(leaves=leaves, joined=() if has_policy else flat)


def read_actions(space: Space[Any], bounds: Bounds) -> Actions:
    """The actions of the space of one environment.

    Raises:
        ContractError: PPO here cannot act in it.
    """
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
        got, expected = repr(space), "a Box of floats: policies here put out continuous actions"
        raise ContractError("action_space", got=got, expected=expected, fix="Choose another environment.")
    low, high = (np.asarray(bound, dtype=np.float32).reshape(-1) for bound in (space.low, space.high))
    if len(low) == 0:
        raise ContractError("action_space", got=repr(space), expected="at least one action")
    if bounds == "rescale" and not (np.isfinite(low).all() and np.isfinite(high).all()):
        fix = "Set env.actions=clip."
        raise ContractError("action_space", got=repr(space), expected="finite bounds to rescale to", fix=fix)
    return Actions(low=low, high=high, shape=space.shape, dtype=np.dtype(space.dtype), bounds=bounds)


def _leaves(space: Space[Any], path: tuple[str | int, ...]) -> Iterator[Leaf]:
    match space:
        case spaces.Dict():
            for key, part in space.spaces.items():
                yield from _leaves(part, (*path, key))
        case spaces.Tuple():
            for index, part in enumerate(space.spaces):
                yield from _leaves(part, (*path, index))
        case spaces.Box() | spaces.MultiBinary():
            yield _leaf(space, path)
        case _:
            where = ".".join(["observation_space", *map(str, path)])
            expected = "a Box or MultiBinary, or a Dict or Tuple of them: numbers that mean a quantity"
            fix = "Wrap the environment in gymnasium.wrappers.FlattenObservation, which makes numbers of it."
            raise ContractError(where, got=repr(space), expected=expected, fix=fix)


def _leaf(space: spaces.Box | spaces.MultiBinary, path: tuple[str | int, ...]) -> Leaf:
    is_bytes, shape = space.dtype == np.uint8 and isinstance(space, spaces.Box), space.shape
    scale = 1 / 255 if is_bytes and len(shape) in (2, 3) else 1.0
    if len(shape) == 2 and is_bytes:
        return Leaf(path=path, shape=(1, *shape), scale=scale)
    if len(shape) != 3 or isinstance(space, spaces.MultiBinary):
        return Leaf(path=path, shape=(prod(shape),))
    if shape[2] <= _MAX_CHANNELS < shape[0]:
        return Leaf(path=path, shape=(shape[2], shape[0], shape[1]), has_channels_last=True, scale=scale)
    return Leaf(path=path, shape=shape, scale=scale)  # frames upon each other


def _stacked(rows: list[Any]) -> Any:
    """Observations of several environments as one batch."""
    first = rows[0]
    if isinstance(first, Mapping):
        return {key: _stacked([row[key] for row in rows]) for key in first}
    if isinstance(first, tuple):
        return tuple(_stacked([row[index] for row in rows]) for index in range(len(first)))
    return np.stack(rows)
