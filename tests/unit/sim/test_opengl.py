"""Which OpenGL draws here, found by trying."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.sim.opengl import backends, find_backend, main, open_context, working_backend

ENVIRON = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY")}


def test_the_users_choice_of_opengl_is_the_only_one() -> None:
    assert backends({"MUJOCO_GL": "osmesa", "DISPLAY": ":0"}, "linux") == ("osmesa",)
    assert backends({}, "linux") == ("egl", "osmesa")
    assert backends({"DISPLAY": ":0"}, "linux") == ("egl", "osmesa", "glfw")
    assert backends({}, "darwin") == ("cgl",)
    assert backends({}, "win32") == ("wgl",)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["egl", "osmesa"])
def test_the_first_that_draws_is_taken(kind: str) -> None:
    """With this setting PyOpenGL refuses the other kind, and no machine has to have both."""
    environ = {**ENVIRON, "PYOPENGL_PLATFORM": kind}
    if draws(kind):
        assert find_backend(environ) == kind
    else:
        with pytest.raises(ConfigError, match=r"no OpenGL that works \(egl: .*; osmesa: "):
            find_backend(environ)


def draws(kind: str) -> bool:
    command = [sys.executable, "-m", "fleetfoot.sim.opengl", kind]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return (
        subprocess.run(command, env={**ENVIRON, "MUJOCO_GL": kind, "PYTHONPATH": path}, capture_output=True).returncode
        == 0
    )


@pytest.mark.slow
def test_none_that_draws_is_one_clear_error() -> None:
    with pytest.raises(ConfigError) as caught:
        find_backend({**ENVIRON, "PYOPENGL_PLATFORM": "bogus"})
    message = str(caught.value)
    assert message.startswith("MUJOCO_GL: got no OpenGL that works (egl: ImportError: Cannot use EGL")
    assert "; osmesa: ImportError: Cannot use OSMesa" in message
    assert "apt-get install libegl1 libgl1-mesa-dri, or libosmesa6" in message
    assert len(message.splitlines()) == 1


def test_no_other_is_tried_than_the_users() -> None:
    with pytest.raises(ConfigError, match=r"\(glfw: [^;]*\)"):
        find_backend({**ENVIRON, "MUJOCO_GL": "glfw"})


def test_processes_started_later_choose_for_themselves() -> None:
    before = dict(os.environ)
    open_context(working_backend(), 4, 4).free()
    assert dict(os.environ) == before


def test_trying_draws_in_this_process_too() -> None:
    assert main([working_backend()]) == 0
