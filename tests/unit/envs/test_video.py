"""Filming an environment: the contract stays, clips appear, and no renderer ends a run."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from torch import Tensor

from fleetfoot.core.check import check_vec_env
from fleetfoot.core.symmetry import MirrorImage
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import ActionSpec, DescribedEnv, Observations, StatefulEnv, StepResult, VecEnv
from fleetfoot.envs.video import FilmedEnv, RenderedEnv, VideoRecorder, film, record_clip
from fleetfoot.envs.viewer import Viewer
from fleetfoot.errors import ContractError, OutputError
from fleetfoot.sim.pictures import Pictures
from fleetfoot.sim.recording import Recording

POINT = """
<mujoco>
  <worldbody>
    <light pos="0 -2 3"/>
    <body><joint type="slide" axis="1 0 0"/><geom size=".2" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""
SIZE = (64, 64)


class Still:
    """A policy that does nothing, and keeps when it was told to forget."""

    def __init__(self, num_envs):
        self.actions, self.ended = torch.zeros(num_envs, 1), []

    def __call__(self, obs):
        return self.actions

    def reset(self, done=None):
        self.ended.append(done.tolist())


@final
class FilmedToy:
    """The toy environment, whose points can be looked at."""

    def __init__(self, *, num_envs: int = 2, step_dt: float = 0.02) -> None:
        self._env = ToyEnv(num_envs)
        self.step_dt = step_dt
        self.model_xml = POINT
        self.num_envs, self.device, self.max_episode_length = num_envs, self._env.device, self._env.max_episode_length
        self.observation_spec: Mapping[str, tuple[int, ...]] = self._env.observation_spec
        self.action_spec: ActionSpec = self._env.action_spec
        self.num_snapshots = 0
        self.is_closed = False

    @property
    def episode_length(self) -> Tensor:
        return self._env.episode_length

    @episode_length.setter
    def episode_length(self, value: Tensor) -> None:
        self._env.episode_length = value

    def reset(self, seed: int | None = None) -> Observations:
        return self._env.reset(seed)

    def step(self, actions: Tensor) -> StepResult:
        return self._env.step(actions)

    def close(self) -> None:
        self.is_closed = True
        self._env.close()

    def snapshot(self, index: int) -> Mapping[str, np.ndarray]:
        self.num_snapshots += 1
        return {"qpos": np.array([0.1 * self.num_snapshots])}


def run(env: VecEnv, steps: int) -> None:
    actions = torch.zeros(env.num_envs, env.action_spec.size)
    for _ in range(steps):
        env.step(actions)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_clips_appear_and_nothing_else(tmp_path: Path) -> None:
    env = FilmedToy()
    recorder = VideoRecorder(env, folder=tmp_path / "train", length=4, interval=10, size=SIZE)
    recorder.reset(0)
    run(recorder, 15)
    assert env.num_snapshots == 4, "every second step of two clips of four steps"
    recorder.close()
    assert env.is_closed
    assert names(tmp_path / "train") == ["rl-video-step-0.mp4", "rl-video-step-10.mp4"]
    assert all(path.stat().st_size > 500 for path in (tmp_path / "train").iterdir())


def test_a_clip_that_the_end_cuts_short_is_kept(tmp_path: Path) -> None:
    recorder = VideoRecorder(FilmedToy(), folder=tmp_path, length=100, interval=200, first_step=1000, size=SIZE)
    run(recorder, 6)
    recorder.close()
    assert names(tmp_path) == ["rl-video-step-1000.mp4"]
    assert recorder.take_videos() == [tmp_path / "rl-video-step-1000.mp4"]


def test_frames_are_25_a_second(tmp_path: Path) -> None:
    env = FilmedToy(step_dt=0.01)
    policy = Still(2)
    recording = record_clip(env, policy, 9)
    assert isinstance(recording, Recording)
    assert len(policy.ended) == 9
    assert [True, False] in policy.ended or [False, True] in policy.ended or [True, True] in policy.ended
    assert (len(recording.qpos), recording.fps) == (3, 25.0)
    assert recording.qpos[:, 0] == pytest.approx([0.1, 0.2, 0.3])
    assert recording.captions == ("0.0 s", "0.0 s", "0.1 s")
    assert record_clip(FilmedToy(step_dt=0.1), Still(2), 3).fps == pytest.approx(10.0)


def test_the_contract_is_kept(tmp_path: Path) -> None:
    toy = FilmedToy()
    recorder = VideoRecorder(toy, folder=tmp_path, length=2, interval=10**6, first_step=1, size=SIZE)
    check_vec_env(recorder)
    assert isinstance(recorder, VecEnv)
    assert isinstance(recorder, FilmedEnv)
    assert recorder.env is toy
    recorder.episode_length.fill_(1)
    assert toy.episode_length.tolist() == [1, 1]
    assert recorder.take_videos() == []
    recorder.close()


def test_it_offers_what_the_environment_offers(tmp_path: Path) -> None:
    plain = VideoRecorder(FilmedToy(), folder=tmp_path)
    assert not isinstance(plain, StatefulEnv)
    assert not isinstance(plain, DescribedEnv)

    @final
    class Capable:
        def __init__(self) -> None:
            self.__dict__.update(FilmedToy().__dict__)
            self.episode_length = torch.zeros(2, dtype=torch.int64)
            self.loaded: Mapping[str, Any] = {}

        reset, step, close, snapshot = FilmedToy.reset, FilmedToy.step, FilmedToy.close, FilmedToy.snapshot

        def state_dict(self) -> dict[str, Any]:
            return {"answer": 42}

        def load_state_dict(self, state: Mapping[str, Any]) -> Observations:
            self.loaded = state
            return {}

        def policy_contract(self) -> dict[str, Any]:
            return {"joints": ["a"]}

    inner = Capable()
    capable = VideoRecorder(inner, folder=tmp_path)
    assert isinstance(capable, StatefulEnv)
    assert isinstance(capable, DescribedEnv)
    assert capable.state_dict() == {"answer": 42}
    assert capable.load_state_dict({"answer": 1}) == {}
    assert inner.loaded == {"answer": 1}
    assert capable.policy_contract() == {"joints": ["a"]}


def test_mirror_images_are_found_when_somebody_asks_for_them(tmp_path: Path) -> None:
    @final
    class Costly:
        def __init__(self) -> None:
            self.__dict__.update(FilmedToy().__dict__)
            self.episode_length = torch.zeros(2, dtype=torch.int64)

        reset, step, close, snapshot = FilmedToy.reset, FilmedToy.step, FilmedToy.close, FilmedToy.snapshot

        @property
        def mirror_images(self) -> tuple[MirrorImage, ...]:
            raise ContractError("mirror_images", got="something else", expected="places and signs")

    recorder = VideoRecorder(Costly(), folder=tmp_path)
    with pytest.raises(ContractError, match="places and signs"):
        _ = recorder.mirror_images
    assert VideoRecorder(FilmedToy(), folder=tmp_path).mirror_images == ()


def test_without_opengl_there_is_one_message_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "bogus")
    env, told = FilmedToy(), []
    recorder = VideoRecorder(env, folder=tmp_path, length=4, interval=4, size=SIZE, report=told.append)
    deadline = time.monotonic() + 30
    while not told and time.monotonic() < deadline:
        run(recorder, 4)
        time.sleep(0.02)
    before = env.num_snapshots
    run(recorder, 20)
    assert env.num_snapshots == before, "no more is recorded for nothing"
    recorder.close()
    assert len(told) == 1
    assert "libegl1 libgl1-mesa-dri" in told[0]
    assert "rl-video-step-0.mp4 was not made" in told[0]
    assert names(tmp_path) == []


def test_by_default_the_message_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "bogus")
    recorder = VideoRecorder(FilmedToy(), folder=tmp_path, length=4, interval=4, size=SIZE)
    run(recorder, 4)
    with pytest.warns(RuntimeWarning, match="no OpenGL") as caught:
        recorder.close()
    assert len(caught) == 1


def test_a_folder_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    recorder = VideoRecorder(FilmedToy(), folder=tmp_path / "file", length=4, interval=4, size=SIZE, report=told.append)
    run(recorder, 12)
    recorder.close()
    assert len(told) == 1
    assert "a folder for videos" in told[0]


def test_closing_does_not_wait_for_ever(tmp_path: Path) -> None:
    told: list[str] = []
    recorder = VideoRecorder(FilmedToy(), folder=tmp_path, length=40, interval=40, report=told.append)
    run(recorder, 40)
    start = time.monotonic()
    recorder.close(timeout=0.05)
    assert time.monotonic() - start < 5
    assert len(told) == 1
    assert names(tmp_path) == []


def test_film_gives_a_video(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = film(FilmedToy(), Still(2), 6, tmp_path / "play" / "rl-video.mp4", size=SIZE)
    assert path.stat().st_size > 500
    assert names(path.parent) == ["rl-video.mp4"]


def test_film_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOPENGL_PLATFORM", "bogus")
    with pytest.raises(OutputError, match=r"play\.mp4: got no video; .*no OpenGL"):
        film(FilmedToy(), Still(2), 6, tmp_path / "play.mp4", size=SIZE)
    assert names(tmp_path) == []


def test_what_cannot_be_filmed_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        ContractError,
        match=r"video of ToyEnv: got an environment without `model_xml` and `snapshot`, and without `render`",
    ):
        VideoRecorder(ToyEnv(), folder=tmp_path)
    with pytest.raises(ContractError, match="video of ToyEnv"):
        film(ToyEnv(), Still(4), 6, tmp_path / "play.mp4")


@final
class RenderedToy:
    """The toy environment, drawn by itself: all red, a bit brighter in every picture."""

    def __init__(self, *, fails_at: int = 10**6) -> None:
        self._env = ToyEnv(2)
        self.step_dt = 0.02
        self.num_envs, self.device, self.max_episode_length = 2, self._env.device, self._env.max_episode_length
        self.observation_spec: Mapping[str, tuple[int, ...]] = self._env.observation_spec
        self.action_spec: ActionSpec = self._env.action_spec
        self.num_pictures, self._fails_at = 0, fails_at

    @property
    def episode_length(self) -> Tensor:
        return self._env.episode_length

    def reset(self, seed: int | None = None) -> Observations:
        return self._env.reset(seed)

    def step(self, actions: Tensor) -> StepResult:
        return self._env.step(actions)

    def close(self) -> None:
        self._env.close()

    def render(self) -> np.ndarray:
        if self.num_pictures >= self._fails_at:
            raise RuntimeError("the screen is gone")
        self.num_pictures += 1
        picture = np.zeros((121, 81, 3), dtype=np.uint8)
        picture[..., 0] = 100 + 20 * self.num_pictures
        return picture


def frames(path: Path) -> tuple[str, np.ndarray]:
    """What a video says of itself, and its frames `[F, H, W, 3]`, of 82 by 122 pixels."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    read = subprocess.run(command, capture_output=True, check=True)
    return read.stderr.decode(), np.frombuffer(read.stdout, np.uint8).reshape(-1, 122, 82, 3)


def test_an_environment_that_only_gives_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOPENGL_PLATFORM", "bogus")  # what is drawn already needs no OpenGL
    path = film(RenderedToy(), Still(2), 6, tmp_path / "play.mp4")
    said, seen = frames(path)
    assert "Video: h264" in said
    assert "82x122" in said, "made even"
    assert "25 fps" in said
    red = seen[:, 40, 40, 0].astype(int)
    assert len(seen) == 3, "every second step"
    assert np.abs(red - [120, 140, 160]).max() < 8
    assert seen[:, 30:60, 30:60, 1:].max() < 12
    assert names(tmp_path) == ["play.mp4"]


def test_a_training_is_filmed_in_pictures(tmp_path: Path) -> None:
    env = RenderedToy()
    told: list[str] = []
    recorder = VideoRecorder(env, folder=tmp_path, length=4, interval=10**6, first_step=1000, report=told.append)
    assert isinstance(recorder, RenderedEnv)
    assert not isinstance(recorder, FilmedEnv)
    run(recorder, 10)
    assert env.num_pictures == 2, "every second step of one clip"
    recorder.close()
    assert told == []
    assert names(tmp_path) == ["rl-video-step-1000.mp4"]


def test_a_renderer_that_fails_costs_no_run(tmp_path: Path) -> None:
    told: list[str] = []
    env = RenderedToy(fails_at=3)
    recorder = VideoRecorder(env, folder=tmp_path, length=100, interval=100, report=told.append)
    run(recorder, 20)
    recorder.close()
    assert told == ["no more videos: RuntimeError: the screen is gone"]
    assert names(tmp_path) == ["rl-video-step-0.mp4"], "what was filmed before"


def test_pictures_are_kept_as_they_are(tmp_path: Path) -> None:
    clip = record_clip(RenderedToy(), Still(2), 5)
    assert isinstance(clip, Pictures)
    assert (clip.captions, clip.fps) == (("0.0 s", "0.0 s", "0.1 s"), 25.0)
    assert [int(frame[60, 40, 0]) for frame in clip.frames()] == pytest.approx([120, 140, 160], abs=2)


def test_a_window_needs_states() -> None:
    with pytest.raises(ContractError, match="a window: got RenderedToy"):
        Viewer(RenderedToy())
