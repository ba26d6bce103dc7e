"""Recordings become videos, with the renderer as it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.robots.anymal_c import ANYMAL_C
from fleetfoot.robots.mjcf import to_mjcf
from fleetfoot.sim.footage import load_footage
from fleetfoot.sim.recording import Recording, base_velocity
from fleetfoot.sim.render import NO_OPENGL_STATUS

CARTPOLE = """
<mujoco>
  <worldbody>
    <light pos="0 -2 3"/>
    <body><joint type="slide" axis="1 0 0"/><geom type="box" size=".2 .1 .1" rgba="1 0 0 1"/>
      <body><joint axis="0 1 0"/><geom type="capsule" size=".03" fromto="0 0 0 0 0 1" rgba="0 1 0 1"/></body>
    </body>
  </worldbody>
</mujoco>
"""


def render(recording: Recording, folder: Path, **environ: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    source, out = folder / "recording.npz", folder / "videos" / "clip.mp4"
    recording.save(source)
    command = [sys.executable, "-m", "fleetfoot.sim.render", str(source), str(out)]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    inherited = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    return subprocess.run(
        command, env={**inherited, "PYTHONPATH": path, **environ}, capture_output=True, text=True
    ), out


def frames_of(path: Path, size: tuple[int, int]) -> tuple[str, np.ndarray]:
    """What ffmpeg says of a video, and its frames `[F, height, width, 3]`."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stderr.decode(), np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 3)


def walking(frames: int = 4) -> Recording:
    pose = [0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0] + [0.0, 0.4, -0.8] * 4
    qpos = np.tile(pose, (frames, 1))
    qpos[:, 0] = 0.04 * np.arange(frames)
    return Recording(
        model_xml=to_mjcf(ANYMAL_C),
        qpos=qpos,
        command=np.tile([1.0, 0.0, 0.5], (frames, 1)),
        captions=("a line\nand another",) * frames,
        size=(63, 64),
    )


def test_a_walking_robot(tmp_path: Path) -> None:
    done, out = render(walking(), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    said, frames = frames_of(out, (64, 64))
    stream = next(line for line in said.splitlines() if "Video:" in line)
    assert all(word in stream for word in ("h264", "yuv420p", "64x64", "25 fps")), "odd sizes are made even"
    assert len(frames) == 4
    red, green = frames[..., 0].astype(int), frames[..., 1].astype(int)
    assert ((red - green) > 60).any(), "the red robot is in the picture"
    assert ((green - red) > 60).any(), "and so is the green command"
    assert [path.name for path in out.parent.iterdir()] == ["clip.mp4"], "nothing is left behind"


def test_a_model_without_base_or_camera(tmp_path: Path) -> None:
    qpos = np.column_stack([np.linspace(0, 0.5, 3), np.zeros(3)])
    recording = Recording(model_xml=CARTPOLE, qpos=qpos, size=(200, 160), captions=("0.1 s",) * 3)
    done, out = render(recording, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    _, frames = frames_of(out, (200, 160))
    reds = [np.argwhere(frame[..., 0].astype(int) - frame[..., 1] > 60)[:, 1].mean() for frame in frames]
    assert reds[2] > reds[0] + 5, "the cart drives to the right of the picture"
    assert frames[0][-3:].mean() > 5, "there is text"


def test_no_opengl_is_one_line_and_a_status(tmp_path: Path) -> None:
    done, out = render(walking(), tmp_path, PYOPENGL_PLATFORM="bogus")
    assert done.returncode == NO_OPENGL_STATUS == 3
    assert len(done.stderr.splitlines()) == 1
    assert "libegl1 libgl1-mesa-dri" in done.stderr
    assert "libosmesa6" in done.stderr
    assert not list(out.parent.iterdir())


def test_another_kind_than_the_users_is_not_tried(tmp_path: Path) -> None:
    done, out = render(walking(2), tmp_path, MUJOCO_GL="glfw", DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == NO_OPENGL_STATUS
    assert "glfw: " in done.stderr
    assert "egl: " not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"model_xml": "<mujoco><nonsense/></mujoco>"}, "recording.model_xml: got"),
        ({"qpos": np.zeros((4, 3))}, "recording.qpos: got shape (4, 3); expected [F, 19]"),
    ],
)
def test_a_recording_that_cannot_be_drawn(tmp_path: Path, broken: dict[str, object], message: str) -> None:
    done, out = render(replace(walking(), **broken), tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not out.exists()


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    with pytest.raises(ConfigError, match=r"other\.npz: got FileNotFoundError"):
        load_footage(path)
    path.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="expected a recording"):
        load_footage(path)
    np.savez(path, qpos=np.zeros(3))
    with pytest.raises(ConfigError, match="expected a recording"):
        load_footage(path)


def test_a_recording_comes_back_as_it_was(tmp_path: Path) -> None:
    path, before = tmp_path / "r.npz", walking()
    before.save(path)
    after = load_footage(path)
    np.testing.assert_array_equal(after.qpos, before.qpos)
    np.testing.assert_array_equal(after.command, before.command)
    assert (after.model_xml, after.captions, after.fps, after.size) == (
        before.model_xml,
        before.captions,
        25.0,
        (63, 64),
    )


@pytest.mark.parametrize(
    "wrong", [{"qpos": np.zeros((0, 3))}, {"command": np.zeros((3, 3))}, {"captions": ("one",)}, {"fps": 0.0}]
)
def test_a_recording_does_not_contradict_itself(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="recording"):
        replace(walking(4), **wrong)


def test_velocity_is_in_the_robots_heading_and_stops_at_resets() -> None:
    time = np.arange(40) / 25
    yaw = np.pi / 2 + 0.3 * time
    pose = np.zeros((40, 7))
    pose[:, 0], pose[:, 1] = 3.0 - np.sin(0.3 * time), 2.0 + np.cos(0.3 * time)
    pose[:, 3], pose[:, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
    pose[20:, 0] += 5.0  # put somewhere else
    velocity = base_velocity(pose, 25.0)
    np.testing.assert_allclose(velocity[:, 2], 0.3, atol=1e-6)
    inner = [*range(4, 16), *range(24, 36)]
    np.testing.assert_allclose(velocity[inner, 1], 0.3, atol=1e-3)
    np.testing.assert_allclose(velocity[:, 0], 0.0, atol=0.02)
