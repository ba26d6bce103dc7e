"""Observation groups: terms evaluated once, put side by side, disturbed, clipped and scaled as one tensor; pictures.

Axes: `n` environments, `O` numbers of a group, `C` channels, `H` rows and `W` columns of a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import Observations
from fleetfoot.envs.task import ImageTerm, ObsTerm
from fleetfoot.errors import ContractError

__all__ = ["ObservationGroups"]

S = TypeVar("S")


@final
class _Group(Generic[S]):
    """The terms of one group, with what applies to each number of it as vectors `[O]`; None where nothing would."""

    def __init__(self, terms: tuple[ObsTerm[S], ...], device: torch.device) -> None:
        self.terms = terms
        self.size = sum(term.size for term in terms)
        infinity = float("inf")
        self.noise = _vector([(term.noise, term.size) for term in terms], 0.0, device)
        self.low = _vector([(term.clip[0] if term.clip else -infinity, term.size) for term in terms], -infinity, device)
        self.high = _vector([(term.clip[1] if term.clip else infinity, term.size) for term in terms], infinity, device)
        self.scale = _vector([(term.scale, term.size) for term in terms], 1.0, device)

    def __call__(self, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        """The group's observation `[n, O]`: `scale * clip(value + U(-noise, noise))`, never an alias of a part."""
        obs = torch.cat(parts, dim=1)
        if self.noise is not None:
            unit = torch.empty_like(obs).uniform_(-1.0, 1.0, generator=generator)
            obs.addcmul_(unit, self.noise)
        if self.low is not None or self.high is not None:
            obs.clamp_(self.low, self.high)
        if self.scale is not None:
            obs.mul_(self.scale)
        return obs


@final
class _Pictures(Generic[S]):
    """The last pictures of a camera."""

    def __init__(self, term: ImageTerm[S]) -> None:
        self.term = term
        self._channels, height, width = term.camera.shape
        self.shape = (term.frames * self._channels, height, width)

    def __call__(self, state: S, before: Tensor | None) -> Tensor:
        """`[n, frames * C, H, W]`, given those of the step before, or None where an episode begins."""
        picture = self.term.camera(self.term.pose(state))
        if before is None:
            return picture.repeat(1, self.term.frames, 1, 1)
        return torch.cat((before[:, self._channels :], picture), dim=1)

    def describe(self) -> dict[str, Any]:
        """Plain JSON: how many pictures of what kind."""
        order = {"frames": self.term.frames, "channels": self._channels, "first_frame": "oldest"}
        return {**order, **self.term.camera.describe()}


@final
class ObservationGroups(Generic[S]):
    """All observation groups of a task.

    Args:
        groups: Group name to its terms, in order.
        device: Where the observations live.
        images: Group name to what it shows.

    Raises:
        ContractError: A name stands for numbers and for pictures.
    """

    def __init__(
        self,
        groups: Mapping[str, tuple[ObsTerm[S], ...]],
        device: torch.device,
        images: Mapping[str, ImageTerm[S]] = MappingProxyType({}),
    ) -> None:
        for name in groups.keys() & images.keys():
            expected = "a name for each group"
            raise ContractError("Task.images", got=f"{name!r}, which is in Task.observations too", expected=expected)
        self._groups = {name: _Group(terms, device) for name, terms in groups.items()}
        self._images = {name: _Pictures(term) for name, term in images.items()}
        self.spec: dict[str, tuple[int, ...]] = {name: (group.size,) for name, group in self._groups.items()}
        self.spec |= {name: pictures.shape for name, pictures in self._images.items()}

    def __call__(self, state: S, generator: torch.Generator, before: Observations | None = None) -> dict[str, Tensor]:
        """Observe.

        Args:
            state: The task's view of `n` environments.
            generator: What noise is drawn from.
            before: What was observed in the step before, `[n, …]` each; None where episodes begin.

        Returns:
            Group name to float `[n, O]` or `[n, frames * C, H, W]`, in memory of its own.
        """
        seen: dict[Callable[[S], Tensor], Tensor] = {}  # groups share terms
        for group in self._groups.values():
            for term in group.terms:
                if term.fn not in seen:
                    seen[term.fn] = term.fn(state)
        obs = {name: group([seen[term.fn] for term in group.terms], generator) for name, group in self._groups.items()}
        for name, pictures in self._images.items():
            obs[name] = pictures(state, None if before is None else before[name])
        return obs

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Plain JSON: group name to its terms in order, with their places and what is done to them."""
        return {name: _describe(group.terms) for name, group in self._groups.items()}

    def describe_images(self) -> dict[str, dict[str, Any]]:
        """Plain JSON: group name to what its pictures are."""
        return {name: pictures.describe() for name, pictures in self._images.items()}

    def close(self) -> None:
        """Close the cameras."""
        for pictures in self._images.values():
            pictures.term.camera.close()


def _describe(terms: tuple[ObsTerm[S], ...]) -> list[dict[str, Any]]:
    starts = [sum(term.size for term in terms[:i]) for i in range(len(terms))]
    return [
        {
            "name": term.name,
            "start": start,
            "size": term.size,
            "offset": 0.0,
            "clip": list(term.clip) if term.clip else None,
            "scale": term.scale,
            "noise": term.noise,
            "history": 1,
        }
        for term, start in zip(terms, starts, strict=True)
    ]


def _vector(values: list[tuple[float, int]], neutral: float, device: torch.device) -> Tensor | None:
    """Each value repeated over its term's size, `[O]`; None if all of them are neutral."""
    flat = [value for value, size in values for _ in range(size)]
    return None if all(value == neutral for value in flat) else torch.tensor(flat, device=device)
