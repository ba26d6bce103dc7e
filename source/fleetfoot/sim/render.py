"""Make a video of a recording or of pictures, in a process of its own.

    python -m fleetfoot.sim.render RECORDING.npz OUT.mp4 [--nice 10]

OpenGL lives and dies here, away from training (pictures need none): a driver that is missing, hangs or crashes costs a
video and no more. `MUJOCO_GL` is the user's where it is set; else what works is found by trying (EGL, OSMesa, and GLFW
where there is a display), each in a fresh interpreter, since a half-loaded OpenGL cannot be replaced.

Exit status: 0 drawn; 1 something unforeseen, with its traceback; 2 recording or target are at fault; 3 no OpenGL.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final, assert_never

import numpy as np
from numpy.typing import NDArray

from fleetfoot.errors import FleetfootError, OutputError
from fleetfoot.sim.captions import Line, plain_lines, write_text
from fleetfoot.sim.footage import Footage, load_footage
from fleetfoot.sim.opengl import HOW_TO_GET_OPENGL, backends
from fleetfoot.sim.pictures import Pictures
from fleetfoot.sim.recording import Recording, base_velocity

__all__ = ["NO_OPENGL", "NO_OPENGL_STATUS", "draw", "main"]

NO_OPENGL_STATUS: Final = 3
NO_OPENGL: Final = f"cannot draw: no OpenGL that works without a screen. {HOW_TO_GET_OPENGL}"


class _NoOpenGlError(Exception):
    """This interpreter has no OpenGL to draw with."""


def main(argv: list[str] | None = None) -> int:
    """Draw one recording; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fleetfoot.sim.render", description="Draw a recording as a video.")
    parser.add_argument("recording", type=Path, help="what was filmed: an .npz file")
    parser.add_argument("out", type=Path, help="the video to write: an .mp4 file")
    parser.add_argument("--nice", type=int, default=0, help="how much to give way to other processes, 0 to 19")
    parser.add_argument("--backends", help="what MUJOCO_GL to try, separated by commas (default: what could work here)")
    args = parser.parse_args(argv)
    if args.nice and sys.platform != "win32":
        os.nice(args.nice)
    before = dict(os.environ)  # MuJoCo's attempt writes into it
    first, *others = args.backends.split(",") if args.backends else backends(os.environ)
    os.environ["MUJOCO_GL"] = first
    try:
        draw(load_footage(args.recording), args.out)
    except _NoOpenGlError as error:
        if others:
            _start_over(before, args, others)
        sys.stderr.write(f"{NO_OPENGL} ({first}: {error})\n")
        return NO_OPENGL_STATUS
    except FleetfootError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _start_over(environ: dict[str, str], args: argparse.Namespace, remaining: list[str]) -> None:
    """Become a fresh interpreter, under the same process id, that tries the other backends."""
    command = [sys.executable, "-P", "-m", "fleetfoot.sim.render", str(args.recording), str(args.out)]
    sys.stderr.flush()
    os.execve(sys.executable, [*command, "--backends", ",".join(remaining)], environ)


def draw(footage: Footage, path: Path) -> None:
    """Write what was filmed as an H.264 video that browsers play. It appears under its name when it is complete.

    Raises:
        OutputError: The video cannot be written.
    """
    partial = path.with_name(f".{path.stem}.partial.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()  # the system's own words if it cannot be written, rather than the encoder's
        with contextlib.closing(_frames_of(footage)) as frames:
            first = next(frames)  # no encoder is started for what cannot be drawn
            height, width, _ = first.shape
            with _encoder(partial, (width, height), footage.fps) as send:
                for frame in itertools.chain([first], frames):
                    send(np.ascontiguousarray(frame))
        partial.replace(path)
    except OSError as error:
        raise OutputError(str(path), got=_first_line(error), expected="a video that can be written") from error
    finally:
        partial.unlink(missing_ok=True)


def _frames_of(footage: Footage) -> Generator[NDArray[np.uint8]]:
    """All frames, `[height, width, 3]` each, both even: H.264 takes no other."""
    match footage:
        case Recording():
            return _drawn(footage)
        case Pictures():
            return _shown(footage)
        case _:
            assert_never(footage)


def _shown(pictures: Pictures) -> Generator[NDArray[np.uint8]]:
    for frame, caption in zip(pictures.frames(), pictures.captions, strict=True):
        height, width, _ = frame.shape
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        yield write_text(even, plain_lines(caption))


def _even(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    return width + width % 2, height + height % 2


@contextlib.contextmanager
def _encoder(path: Path, size: tuple[int, int], fps: float) -> Iterator[Any]:
    """Takes frames `[height, width, 3]` of bytes, one call each."""
    import imageio_ffmpeg  # looks for its executable when imported

    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=fps,  # pyright: ignore[reportArgumentType]  it takes any number
        codec="libx264",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        quality=None,  # pyright: ignore[reportArgumentType]  as it documents: leaves it to what follows
        ffmpeg_log_level="error",
        output_params=["-crf", "22", "-preset", "veryfast", "-threads", "1", "-movflags", "+faststart"],
    )
    try:
        writer.send(None)
        yield writer.send
    finally:
        writer.close()


def _drawn(recording: Recording) -> Generator[NDArray[np.uint8]]:
    """The recording's frames, `[height, width, 3]` each."""
    mujoco = _import_mujoco()
    from fleetfoot.sim.terrain.trim import stretches, trim_height_fields

    model = _compile(mujoco, recording)
    if not model.nhfield:
        yield from _drawn_part(mujoco, model, recording, slice(0, len(recording.qpos)))
        return
    places = recording.qpos[:, :2]
    for part in stretches(places):
        model = _compile(mujoco, recording)  # anew: what is left out of one part is seen in the next
        trim_height_fields(mujoco, model, places[part])
        yield from _drawn_part(mujoco, model, recording, part)


def _drawn_part(mujoco: Any, model: Any, recording: Recording, part: slice) -> Generator[NDArray[np.uint8]]:
    """Some of the frames."""
    from fleetfoot.sim.overlay import COMMAND_COLOUR, MOTION_COLOUR, add_motion

    data = mujoco.MjData(model)
    width, height = _even(recording.size)
    floats = model.njnt > 0 and model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    motion = base_velocity(recording.qpos[:, :7], recording.fps) if floats else np.zeros((len(recording.qpos), 3))
    has_command = floats and recording.command.ndim == 2 and recording.command.shape[1] == 3
    camera = _camera(mujoco, model, floats=floats)
    with _renderer(mujoco, model, width, height) as renderer:
        for index in range(part.start, part.stop):
            data.qpos[:] = recording.qpos[index]
            mujoco.mj_forward(model, data)  # lights and cameras follow the centre of mass
            renderer.update_scene(data, camera)
            lines: list[Line] = []
            if has_command:
                command, yaw = recording.command[index], _yaw(data.body(1).xmat)
                above = data.body(1).xpos + np.array([0.0, 0.0, 0.30])
                add_motion(renderer.scene, above, yaw, command, COMMAND_COLOUR, 0.36)
                add_motion(renderer.scene, above - np.array([0.0, 0.0, 0.04]), yaw, motion[index], MOTION_COLOUR, 0.27)
                lines.append([(_motion_text("cmd", command), COMMAND_COLOUR)])
                lines[0].append((_motion_text("    vel", motion[index]), MOTION_COLOUR))
            if recording.captions:
                lines += plain_lines(recording.captions[index])
            yield write_text(renderer.render(), lines)


def _import_mujoco() -> Any:
    try:
        import mujoco
        import mujoco.gl_context  # loads the OpenGL that MUJOCO_GL names
    except Exception as error:  # each OpenGL loader fails in its own way
        raise _NoOpenGlError(_first_line(error)) from error
    return mujoco


def _compile(mujoco: Any, recording: Recording) -> Any:
    try:
        model = mujoco.MjModel.from_xml_string(recording.model_xml)
    except ValueError as error:
        raise OutputError("recording.model_xml", got=_first_line(error), expected="a model MuJoCo can load") from error
    if recording.qpos.shape[1] != model.nq:
        shape = recording.qpos.shape
        raise OutputError("recording.qpos", got=f"shape {shape}", expected=f"[F, {model.nq}], as its model has it")
    return model


@contextlib.contextmanager
def _renderer(mujoco: Any, model: Any, width: int, height: int) -> Iterator[Any]:
    model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
    model.vis.global_.offheight = max(height, model.vis.global_.offheight)
    try:
        with warnings.catch_warnings(action="ignore"):  # GLFW warns of what it then fails at
            renderer = mujoco.Renderer(model, height, width)
    except Exception as error:  # no device, no driver, no display: each in its own words
        raise _NoOpenGlError(_first_line(error)) from error
    with renderer:
        yield renderer


def _camera(mujoco: Any, model: Any, *, floats: bool) -> Any:
    """The model's camera `track` if it has one, else one that sees all of it, and follows what moves freely."""
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "track") >= 0:
        return "track"
    camera = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    if floats:
        camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
        camera.trackbodyid = 1
    return camera


def _yaw(matrix: NDArray[np.float64]) -> float:
    return float(np.arctan2(matrix[3], matrix[0]))


def _motion_text(name: str, motion: NDArray[np.float64]) -> str:
    forward, left, rate = (float(value) + 0.0 for value in np.round(motion, 2))
    return f"{name}  {forward:+.2f}  {left:+.2f} m/s  {rate:+.2f} rad/s"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    sys.exit(main())
