"""Filming: states, or pictures, are recorded in the run; the video is made of them in a process of its own.

What a training step pays is a copy of one environment's positions every 40 ms of simulated time or, in an environment
that only gives pictures, one of those. When a clip is full it is written to a file and `fleetfoot.sim.render` is
started on it, giving way to the training and one at a time. Whatever goes wrong there costs videos, never the run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fleetfoot.core.symmetry import MirrorImage, SymmetricEnv
from fleetfoot.core.vec_env import (
    CurriculumEnv,
    DescribedEnv,
    GroupedRewardEnv,
    Observations,
    Policy,
    StatefulEnv,
    StepResult,
    VecEnv,
)
from fleetfoot.errors import ContractError, OutputError
from fleetfoot.sim.footage import Footage
from fleetfoot.sim.pictures import Pictures, compress
from fleetfoot.sim.recording import Recording
from fleetfoot.sim.studio import RenderJob, Studio

__all__ = ["FilmedEnv", "RenderedEnv", "VideoRecorder", "film", "record_clip", "require_filmed"]

_FRAME_S: Final = 0.04  # 25 frames per second: every second control step of a legged robot
_PATIENCE_S: Final = 600.0


@runtime_checkable
class FilmedEnv(Protocol):
    """What filming needs of an environment, besides the contract: states, which are drawn elsewhere."""

    model_xml: str
    """MJCF of one environment, with what is there to be looked at."""

    def snapshot(self, index: int) -> Mapping[str, NDArray[Any]]:
        """One environment as it is now: `qpos` `[Q]` and, if it is asked for something, `command` `[C]`."""
        ...


@runtime_checkable
class RenderedEnv(Protocol):
    """What filming needs of an environment that cannot say its state: it draws itself, in the run."""

    def render(self) -> NDArray[np.uint8]:
        """The first environment as it is now, `[H, W, 3]`."""
        ...


@final
class VideoRecorder:
    """An environment that also films its first robot; in all else it is the environment it wraps.

    Args:
        env: What to film; offers `FilmedEnv` or `RenderedEnv`.
        folder: Where `rl-video-step-<control step>.mp4` go.
        length: Control steps in a clip.
        interval: Control steps from the start of a clip to the start of the next; the first one starts at once.
        first_step: Control steps taken before this run, when it continues another one.
        size: Width and height [pixels]; pictures have their own.
        report: Takes the one message about videos that could not be made; by default a warning.

    Raises:
        ContractError: The environment cannot be filmed.
    """

    def __init__(
        self,
        env: VecEnv,
        *,
        folder: Path,
        length: int = 200,
        interval: int = 2000,
        first_step: int = 0,
        size: tuple[int, int] = (640, 480),
        report: Callable[[str], None] | None = None,
    ) -> None:
        filmed = require_filmed(env)
        self._env = env
        self.num_envs, self.device, self.step_dt = env.num_envs, env.device, env.step_dt
        self.max_episode_length = env.max_episode_length
        self.observation_spec, self.action_spec = env.observation_spec, env.action_spec
        self._length, self._interval, self._step = min(length, interval), interval, first_step
        self._clip_start = first_step
        self._film = _load_film(filmed, env.step_dt, size)
        self._folder = folder
        self._studio = Studio(report or _warn)
        self._can_film = True
        # Offered only if the environment does: whoever asks what it can do gets its own answer.
        if isinstance(env, FilmedEnv):
            self.model_xml, self.snapshot = env.model_xml, env.snapshot
        if isinstance(env, RenderedEnv):
            self.render = env.render
        if isinstance(env, StatefulEnv):
            self.state_dict, self.load_state_dict = env.state_dict, env.load_state_dict
        if isinstance(env, CurriculumEnv):
            self.go_on_from_step = env.go_on_from_step
        if isinstance(env, DescribedEnv):
            self.policy_contract = env.policy_contract
        if isinstance(env, GroupedRewardEnv):
            self.reward_groups = env.reward_groups

    @property
    def env(self) -> VecEnv:
        """What is filmed."""
        return self._env

    @property
    def episode_length(self) -> Tensor:
        """Control steps since the last reset, int64 `[N]`."""
        return self._env.episode_length

    @property
    def mirror_images(self) -> tuple[MirrorImage, ...]:
        """Those of its robot, if it has any; to find them may take long or fail, and few ask."""
        return self._env.mirror_images if isinstance(self._env, SymmetricEnv) else ()

    def reset(self, seed: int | None = None) -> Observations:
        """Begin new episodes everywhere."""
        return self._env.reset(seed)

    def step(self, actions: Tensor) -> StepResult:
        """Advance by one control step."""
        result = self._env.step(actions)
        if self._step >= self._clip_start and self._can_film and not self._studio.is_closed:
            self._record()
        self._step += 1
        self._studio.attend()
        return result

    def take_videos(self) -> list[Path]:
        """See `FilmingEnv.take_videos`."""
        return self._studio.take_finished()

    def close(self, timeout: float = 60.0) -> None:
        """Release the environment, then wait for the videos that are still being drawn, this long at most [s]."""
        self._env.close()
        self._finish_clip()
        self._studio.close(timeout)

    def _record(self) -> None:
        since = self._step - self._clip_start
        if since % self._film.stride == 0:
            try:
                self._film.take(f"step {self._step:,}")
            except Exception as error:  # somebody else's renderer: whatever it fails at is not the training's affair
                self._can_film = False
                self._studio.give_up(f"{type(error).__name__}: {error}")
        if since + 1 >= self._length:
            self._finish_clip()

    def _finish_clip(self) -> None:
        """Hand over what was recorded, and plan the next clip."""
        start, self._clip_start = self._clip_start, self._clip_start + self._interval
        if len(self._film) > 1:  # one frame is no video
            self._studio.order(self._film.develop(), self._folder / f"rl-video-step-{start}.mp4")
        self._film.clear()


def record_clip(
    env: VecEnv,
    policy: Policy,
    num_steps: int,
    *,
    obs: Observations | None = None,
    size: tuple[int, int] = (640, 480),
) -> Footage:
    """Run a policy, and keep what its first robot did.

    Args:
        env: What to run; offers `FilmedEnv` or `RenderedEnv`.
        policy: What acts.
        num_steps: Control steps to run.
        obs: What to act on first; None resets the environment.
        size: Width and height of the video to come [pixels]; pictures have their own.

    Raises:
        ContractError: The environment cannot be filmed.
    """
    film_roll = _load_film(require_filmed(env), env.step_dt, size)
    current = env.reset() if obs is None else obs
    with torch.inference_mode():
        for step in range(num_steps):
            if step % film_roll.stride == 0:
                film_roll.take(f"{step * env.step_dt:.1f} s")
            result = env.step(policy(current))
            policy.reset(result.terminated | result.truncated)
            current = result.obs
    return film_roll.develop()


def film(
    env: VecEnv,
    policy: Policy,
    num_steps: int,
    path: Path,
    *,
    obs: Observations | None = None,
    size: tuple[int, int] = (640, 480),
) -> Path:
    """Run a policy as `record_clip` does, and draw the video now.

    Returns:
        The video's path.

    Raises:
        ContractError: The environment cannot be filmed.
        OutputError: The video could not be drawn; says why and what to do.
    """
    job = RenderJob(record_clip(env, policy, num_steps, obs=obs, size=size), path)
    job.start(background=False)
    try:
        status = job.wait(_PATIENCE_S)
        why = "" if status == 0 else job.complaint()
    finally:
        job.stop()
    if status != 0:
        raise OutputError(str(path), got="no video", expected="a video", fix=why)
    return path


def require_filmed(env: VecEnv) -> FilmedEnv | RenderedEnv:
    """The environment as one that can be filmed; what can say its state and draw itself is asked for its state.

    Raises:
        ContractError: It cannot be.
    """
    if isinstance(env, FilmedEnv) or isinstance(env, RenderedEnv):  # noqa: SIM101  two, so that types are narrowed
        return env
    raise ContractError(
        f"video of {type(env).__name__}",
        got="an environment without `model_xml` and `snapshot`, and without `render`",
        expected="one that offers fleetfoot.envs.video.FilmedEnv or RenderedEnv",
        fix="Turn the video off, or let the environment offer them.",
    )


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _load_film(env: FilmedEnv | RenderedEnv, step_dt: float, size: tuple[int, int]) -> _Film:
    stride = max(1, round(_FRAME_S / step_dt))
    fps = 1.0 / (stride * step_dt)
    return _StateFilm(env, stride, fps, size) if isinstance(env, FilmedEnv) else _PictureFilm(env, stride, fps)


@final
class _StateFilm:
    """States of the first environment, as they are recorded."""

    def __init__(self, env: FilmedEnv, stride: int, fps: float, size: tuple[int, int]) -> None:
        self._env, self.stride, self._fps, self._size = env, stride, fps, size
        self._states: list[tuple[NDArray[Any], NDArray[Any], str]] = []

    def __len__(self) -> int:
        return len(self._states)

    def take(self, caption: str) -> None:
        """Keep the state; copied, since it may be a view of the simulation."""
        snapshot = self._env.snapshot(0)
        self._states.append((np.array(snapshot["qpos"]), np.array(snapshot.get("command", ())), caption))

    def develop(self) -> Recording:
        """All states kept so far, as a recording."""
        qpos, commands, captions = zip(*self._states, strict=True)
        return Recording(
            model_xml=self._env.model_xml,
            qpos=np.stack(qpos).astype(np.float64),
            command=np.stack(commands).astype(np.float64),
            captions=captions,
            fps=self._fps,
            size=self._size,
        )

    def clear(self) -> None:
        """Forget all states."""
        self._states.clear()


@final
class _PictureFilm:
    """Pictures of the first environment, as they are recorded."""

    def __init__(self, env: RenderedEnv, stride: int, fps: float) -> None:
        self._env, self.stride, self._fps = env, stride, fps
        self._pictures: list[tuple[bytes, str]] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def take(self, caption: str) -> None:
        """Keep a picture."""
        self._pictures.append((compress(self._env.render()), caption))

    def develop(self) -> Pictures:
        """All pictures kept so far."""
        jpegs, captions = zip(*self._pictures, strict=True)
        return Pictures(jpegs=jpegs, captions=captions, fps=self._fps)

    def clear(self) -> None:
        """Forget all pictures."""
        self._pictures.clear()


_Film: TypeAlias = _StateFilm | _PictureFilm
