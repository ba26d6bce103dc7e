"""OpenGL to draw pictures with inside this process: which kind works here, and a context of it.

    python -m fleetfoot.sim.opengl egl

tries one kind and says in its last line of stderr what is wrong with it. Each is tried in a fresh interpreter: a driver
may hang or crash, and a half-loaded OpenGL cannot be replaced.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from fleetfoot.errors import ConfigError

__all__ = [
    "HOW_TO_GET_OPENGL",
    "GlContext",
    "backends",
    "find_backend",
    "main",
    "open_context",
    "told_of_backend",
    "working_backend",
]

HOW_TO_GET_OPENGL: Final = (
    "Install it (on Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri, or libosmesa6), "
    "or set MUJOCO_GL to what works here."
)
_PATIENCE_S: Final = 60.0
_VARIABLE: Final = "PYOPENGL_PLATFORM"


class GlContext(Protocol):
    """A context of MuJoCo's, whatever kind it is."""

    def make_current(self) -> None:
        """Draw with it from now on, in this thread."""
        ...

    def free(self) -> None:
        """Release it."""
        ...


def backends(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...]:
    """What `MUJOCO_GL` to try, in order: the user's alone, or all that could work here."""
    if chosen := environ.get("MUJOCO_GL"):
        return (chosen,)
    if platform == "darwin":
        return ("cgl",)
    if platform == "win32":
        return ("wgl",)
    has_display = "DISPLAY" in environ or "WAYLAND_DISPLAY" in environ
    return ("egl", "osmesa", "glfw") if has_display else ("egl", "osmesa")


@cache
def working_backend() -> str:
    """The kind that this process draws with, found once; it can have no other afterwards.

    Raises:
        ConfigError: There is none.
    """
    return find_backend(os.environ)


def find_backend(environ: Mapping[str, str]) -> str:
    """The first kind that draws, tried one after the other.

    Args:
        environ: The environment variables to try them under.

    Raises:
        ConfigError: None does; says what is wrong with each.
    """
    complaints = []
    for backend in backends(environ):
        complaint = _try(backend, environ)
        if complaint is None:
            return backend
        complaints.append(f"{backend}: {complaint}")
    got = f"no OpenGL that works ({'; '.join(complaints)})"
    expected = "one that draws without a screen, for the task's camera"
    raise ConfigError("MUJOCO_GL", got=got, expected=expected, fix=HOW_TO_GET_OPENGL)


def open_context(backend: str, width: int, height: int) -> GlContext:
    """A context for pictures of that size [pixels], current in this thread.

    Whatever PyOpenGL is told on the way is taken back: processes that this one starts choose for themselves.
    """
    with _left_as_it_was(_VARIABLE), warnings.catch_warnings(action="ignore"):  # GLFW warns of what it then fails at
        match backend:
            case "egl":
                from mujoco.egl import GLContext
            case "osmesa":
                from mujoco.osmesa import GLContext
            case "cgl":
                from mujoco.cgl import GLContext
            case _:
                from mujoco.glfw import GLContext
        context = GLContext(width, height)
        context.make_current()
    return context


@contextlib.contextmanager
def told_of_backend() -> Iterator[None]:
    """Within, `MUJOCO_GL` names what works here, for code that asks it and would else try what needs a screen.

    Where nothing works it stays as it is: that code has its own words for it.
    """
    with _left_as_it_was("MUJOCO_GL"), _left_as_it_was(_VARIABLE):
        with contextlib.suppress(ConfigError):
            os.environ["MUJOCO_GL"] = working_backend()
        yield


def main(argv: list[str] | None = None) -> int:
    """Draw nothing with one kind; an error if that fails."""
    (backend,) = sys.argv[1:] if argv is None else argv
    import mujoco

    context = open_context(backend, 8, 8)
    mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_50).free()
    context.free()
    return 0


def _try(backend: str, environ: Mapping[str, str]) -> str | None:
    """What is wrong with a kind, in one line; None if nothing is."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (package, environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "fleetfoot.sim.opengl", backend]
    # `import mujoco` loads the kind that this names.
    tried = {**environ, "MUJOCO_GL": backend, "PYTHONPATH": path}
    try:
        done = subprocess.run(command, env=tried, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"hangs for {_PATIENCE_S:.0f} s"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else f"ended with status {done.returncode}"


@contextlib.contextmanager
def _left_as_it_was(variable: str) -> Iterator[None]:
    before = os.environ.get(variable)
    try:
        yield
    finally:
        os.environ.pop(variable, None)
        if before is not None:
            os.environ[variable] = before


if __name__ == "__main__":
    sys.exit(main())
