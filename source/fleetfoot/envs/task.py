"""A task as data: what `TaskEnv` runs over a simulator.

A task says how a state is seen (`view`), and everything else is a small pure function of that view: observations,
rewards, terminations, what to remember. Nothing here is subclassed; a task is a value of `Task`.

Axes: `N` environments, `n` some of them, `A` actions, `C` command components, or channels of a picture `[C, H, W]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from fleetfoot.core.symmetry import SignedPermutation
from fleetfoot.core.vec_env import WHOLE_REWARD
from fleetfoot.sim.simulator import Camera, SimState, Simulator

__all__ = [
    "ActionMap",
    "Command",
    "Curriculum",
    "Frame",
    "ImageTerm",
    "IntervalEvent",
    "Memory",
    "ObsTerm",
    "RewardTerm",
    "Task",
    "TerminationTerm",
]

S = TypeVar("S")
"""The task's own view of a state: a frozen dataclass whose expensive parts are computed when asked for."""


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """All there is to know about some environments after a step; a task's `view` is made of it."""

    sim: SimState
    actions: Tensor
    """Actions of the step, as the policy gave them, `[n, A]`; zero after a reset."""
    previous_actions: Tensor
    """Actions of the step before, `[n, A]`."""
    command: Tensor
    """What the policy was asked for in the step, `[n, C]`."""
    memory: Mapping[str, Tensor]
    """What the task remembered after the step before, `[n, …]` each; zero after a reset."""
    constants: Mapping[str, Tensor]
    """What was drawn once for each environment, `[n, …]` each."""
    lesson: Mapping[str, Tensor]
    """What the curriculum chose for the running episode, `[n, …]` each; empty without one."""


@final
@dataclass(frozen=True, kw_only=True)
class ObsTerm(Generic[S]):
    """A part of an observation group: `scale * clip(fn(state) + U(-noise, noise))`."""

    name: str
    fn: Callable[[S], Tensor]
    """View to float `[n, size]`."""
    size: int
    noise: float = 0.0
    """Half width of uniform noise, in the unit of the term."""
    clip: tuple[float, float] | None = None
    scale: float = 1.0


@final
@dataclass(frozen=True, kw_only=True)
class ImageTerm(Generic[S]):
    """An observation group of its own: the last pictures that a camera took, `[n, frames * C, H, W]`, the oldest first.

    An episode begins with as many copies of its first picture: nothing has moved yet. Pictures have no noise, no scale
    and no mirror images.
    """

    camera: Camera
    """The environment closes it."""
    pose: Callable[[S], Tensor]
    """View to what the camera is shown, `qpos` `[n, Q]`."""
    frames: int = 1
    """Pictures in the observation, one per control step."""


@final
@dataclass(frozen=True, kw_only=True)
class RewardTerm(Generic[S]):
    """A part of the reward: `weight * fn(state) * step_dt`."""

    name: str
    fn: Callable[[S], Tensor]
    """View to float `[n]`."""
    weight: float
    group: str = WHOLE_REWARD
    """What kind of reward it is: an agent may have a critic for each."""


@final
@dataclass(frozen=True, kw_only=True)
class TerminationTerm(Generic[S]):
    """A reason for an episode to end in a state of no further value."""

    name: str
    fn: Callable[[S], Tensor]
    """View to bool `[n]`."""


@final
@dataclass(frozen=True, kw_only=True)
class Memory(Generic[S]):
    """Something that follows from a state and is needed in the next step, as timers are. Starts at zero."""

    size: int
    fn: Callable[[S], Tensor]
    """View to float `[n, size]`."""


@final
@dataclass(frozen=True, kw_only=True)
class Command(Generic[S]):
    """What the policy is asked to do."""

    size: int
    """Components `C` that the policy sees."""
    interval_s: tuple[float, float]
    """A new target is drawn after a time from this range [s], and at every reset."""
    sample: Callable[[int, torch.Generator], Tensor]
    """Number of environments to targets `[n, K]`."""
    resolve: Callable[[S, Tensor], Tensor]
    """View and targets `[n, K]` to the command `[n, C]`, as a heading to reach becomes a yaw rate."""
    rebind: Callable[[S, Tensor], S]
    """The same view under another command `[n, C]`."""


@final
@dataclass(frozen=True, kw_only=True)
class Curriculum(Generic[S]):
    """Lessons: what an environment's next episode is about, in view of how its last one went.

    A lesson is whatever a task wants it to be, as the level of a terrain and a place on it, or how fast to go.
    """

    first: Callable[[int, torch.Generator], Mapping[str, Tensor]]
    """Number of environments to their first lessons, `[N, …]` each."""
    next: Callable[[S, torch.Generator], Mapping[str, Tensor]]
    """View of all environments, of which some have just ended an episode, to the lessons that would come next, `[N, …]`
    each; taken up by those that have."""
    place: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    """Where episodes would begin without a curriculum, `qpos` `[n, Q]`, and lessons to where they begin."""
    metrics: Mapping[str, Callable[[Mapping[str, Tensor]], Tensor]] = field(default_factory=dict)
    """Tag to a function from the lessons of all environments to a scalar, reported in every step."""


@final
@dataclass(frozen=True, kw_only=True)
class IntervalEvent:
    """Something that happens to each environment now and then."""

    name: str
    interval_s: tuple[float, float]
    """Time between two such events in an environment, drawn anew each time [s]."""
    apply: Callable[[Simulator, Tensor, torch.Generator], None]
    """Called with the simulator and the indices of the environments, int64 `[n]`."""


@final
@dataclass(frozen=True, kw_only=True)
class ActionMap:
    """From the policy's action to the simulator's control: `offset + scale * clip(action, -clip, clip)`."""

    names: tuple[str, ...]
    """What each action moves."""
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float | None = None
    """None leaves actions as they are."""


@final
@dataclass(frozen=True, kw_only=True)
class Task(Generic[S]):
    """Everything that makes an environment of a simulator."""

    name: str
    step_dt: float
    """Duration of a control step [s]."""
    decimation: int
    """Physics steps per control step."""
    episode_length_s: float
    """Time after which an episode is truncated [s]."""
    view: Callable[[Frame], S]
    actions: ActionMap
    observations: Mapping[str, tuple[ObsTerm[S], ...]]
    """Group name to its terms, in order."""
    rewards: tuple[RewardTerm[S], ...]
    terminations: tuple[TerminationTerm[S], ...]
    initial_state: Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
    """Number of environments to where their episodes begin: `qpos` `[n, Q]` and `qvel` `[n, V]`."""
    images: Mapping[str, ImageTerm[S]] = field(default_factory=dict)
    """Group name to what it shows; other names than those of `observations`."""
    reward_floor: float | None = None
    """The summed reward of a step is raised to at least this; None leaves it. Its groups are what they are."""
    metrics: Mapping[str, Callable[[S], Tensor]] = field(default_factory=dict)
    """Tag to a function from view to float `[n]`, whose mean is reported in every step."""
    command: Command[S] | None = None
    curriculum: Curriculum[S] | None = None
    memory: Mapping[str, Memory[S]] = field(default_factory=dict)
    events: tuple[IntervalEvent, ...] = ()
    startup: Callable[[Simulator, torch.Generator], Mapping[str, Tensor]] | None = None
    """Draws what is fixed for each environment and writes it into the simulator; returns what terms may want of it."""
    mirrors: Mapping[str, Mapping[str, SignedPermutation]] = field(default_factory=dict)
    """Name of a mirror image to what it does to each observation term, by name, and to `actions`."""
    contract: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON about the robot, which `policy_contract` passes on."""
    scene: str = ""
    """MJCF to film with: the same state as the simulator's, and a look besides."""
