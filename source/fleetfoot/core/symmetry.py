"""Mirror images of a robot: what is left for right, and which signs turn.

A mirror image maps each observation and each action to those of the robot in the mirror: `x'[i] = sign[i] x[index[i]]`.
If the robot and its task are symmetric, what is true of an experience is true of its mirror image.

No torch here: this is data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fleetfoot.core.sides import find_contradiction
from fleetfoot.errors import ContractError

__all__ = ["MirrorImage", "SignedPermutation", "SymmetricEnv", "check_mirror_images"]


@dataclass(frozen=True)
class SignedPermutation:
    """`x'[i] = sign[i] x[index[i]]`."""

    index: tuple[int, ...]
    sign: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.index)

    def __call__(self, values: Sequence[float]) -> tuple[float, ...]:
        """The mirrored values."""
        return tuple(sign * values[index] for index, sign in zip(self.index, self.sign, strict=True))

    def after(self, first: SignedPermutation) -> SignedPermutation:
        """What `first` and then this one do together."""
        index = tuple(first.index[i] for i in self.index)
        sign = tuple(s * first.sign[i] for i, s in zip(self.index, self.sign, strict=True))
        return SignedPermutation(index, sign)

    @property
    def is_involution(self) -> bool:
        """Whether doing it twice changes nothing."""
        twice = self.after(self)
        return twice.index == tuple(range(len(self))) and all(sign == 1.0 for sign in twice.sign)

    @staticmethod
    def identity(size: int) -> SignedPermutation:
        """Changes nothing."""
        return SignedPermutation(tuple(range(size)), (1.0,) * size)

    @staticmethod
    def join(parts: Iterable[SignedPermutation]) -> SignedPermutation:
        """Parts of a vector side by side, each mirrored in itself."""
        index: list[int] = []
        sign: list[float] = []
        for part in parts:
            index += [len(sign) + i for i in part.index]
            sign += part.sign
        return SignedPermutation(tuple(index), tuple(sign))


@dataclass(frozen=True, kw_only=True)
class MirrorImage:
    """One way to mirror a robot."""

    name: str
    observations: Mapping[str, SignedPermutation]
    """Observation group to what happens to it."""
    actions: SignedPermutation


@runtime_checkable
class SymmetricEnv(Protocol):
    """An environment whose robot has mirror images."""

    @property
    def mirror_images(self) -> tuple[MirrorImage, ...]:
        """All of them but the robot itself; empty if the robot has none."""
        ...


def check_mirror_images(
    images: Iterable[MirrorImage],
    observation_spec: Mapping[str, tuple[int, ...]],
    num_actions: int,
    action_names: Sequence[str] = (),
) -> None:
    """Find what cannot be a mirror image.

    Args:
        images: What an environment declares.
        observation_spec: Its observation groups and their shapes. Pictures, of shape `[C, H, W]`, are not mirrored.
        num_actions: Its number of actions.
        action_names: What each action moves, as joint names; empty when unknown.

    Raises:
        ContractError: A group is missing or has another size, mirroring twice is not the robot itself, or a joint is
            taken from another one than the names of both say.
    """
    for image in images:
        sizes = {group: shape[0] for group, shape in observation_spec.items() if len(shape) == 1}
        sizes |= {"actions": num_actions}
        maps = {**image.observations, "actions": image.actions}
        for name, size in sizes.items():
            where = f"mirror_images[{image.name!r}].{name}"
            if name not in maps:
                raise ContractError(where, got="nothing", expected=f"a signed permutation of {size} numbers")
            if sorted(maps[name].index) != list(range(size)):
                raise ContractError(where, got=maps[name].index, expected=f"a permutation of 0 to {size - 1}")
            if not maps[name].is_involution:
                raise ContractError(
                    where, got="a map that is not its own inverse", expected="mirroring twice to undo it"
                )
        _check_names(image, action_names)


def _check_names(image: MirrorImage, names: Sequence[str]) -> None:
    found = find_contradiction(names, image.actions.index) if names else None
    if found is not None:
        raise ContractError(
            f"mirror_images[{image.name!r}].actions",
            got=f"{found.joint!r} taken from {found.partner!r}",
            expected=f"{found.expected!r}, as the names of the joints say",
            fix="Look at the order of the joints in action_spec.names.",
        )
