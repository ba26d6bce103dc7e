"""Pictures of the first environment, from a viewer of Isaac Lab's."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleetfoot.errors import ContractError

__all__ = ["load_what_is_seen", "take_picture"]

_SIZE: Final = (640, 480)
_FROM: Final = (2.4, -2.4, 1.6)
"""Where the camera is, from what it looks at [m]."""


def load_what_is_seen(env_cfg: Any) -> None:
    """Have Newton load the shapes that are only looked at, which it leaves out where no viewer is there at the start.

    Args:
        env_cfg: Isaac Lab's config; a task that says itself whether they are loaded is left alone.
    """
    physics = env_cfg.sim.physics
    if _is_newton(physics) and physics.load_visual_shapes is None:
        physics.load_visual_shapes = True


def take_picture(env: Any) -> NDArray[np.uint8]:
    """The first environment as it is now, `[H, W, 3]`.

    A viewer that can take pictures and is there already takes it: that of `--viz`, or Kit's. Else one of Newton's is
    made, without a window; it draws when it is asked to, and costs nothing otherwise.

    Args:
        env: Isaac Lab's environment.

    Raises:
        ContractError: No viewer here can take a picture.
    """
    viewers = [viewer for viewer in env.sim.visualizers if viewer.cfg.visualizer_type in ("newton_gl", "kit")]
    viewer = viewers[0] if viewers else _add_viewer(env)
    env.sim.forward()
    viewer.set_camera_view(*_look_at_robot(env))
    if viewer.supports_markers():
        env.sim.vis_marker_registry.dispatch_callbacks()
    picture = viewer.render_rgb_array()
    if picture is None:
        raise ContractError("render", got="no picture", expected=f"one from {viewer.cfg.visualizer_type}")
    return np.ascontiguousarray(picture[..., :3], dtype=np.uint8)


def _add_viewer(env: Any) -> Any:
    sim = env.sim
    if not _is_newton(sim.cfg.physics):
        fix = "Film with --video, so that the simulation is launched with a viewer."
        raise ContractError("render", got="a simulation without a viewer", expected="one with pictures", fix=fix)
    from isaaclab.utils import instantiate
    from isaaclab_visualizers.newton import NewtonGLVisualizerCfg

    cfg = NewtonGLVisualizerCfg(
        headless=True,
        window_width=_SIZE[0],
        window_height=_SIZE[1],
        visible_env_indices=[0],
        enable_live_plots=False,
    )
    display = os.environ.pop("DISPLAY", None)  # with it, the viewer would open a window after all
    try:
        viewer = instantiate(cfg)
        viewer.initialize(sim.get_scene_data_provider())
    finally:
        if display is not None:
            os.environ["DISPLAY"] = display
    sim.visualizers.append(viewer)
    return viewer


def _is_newton(physics: Any) -> bool:
    return "newton" in type(physics).__module__


def _look_at_robot(env: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Where the camera is and what it looks at: the first robot of the first environment, wherever it walks."""
    robots = list(env.scene.articulations.values())
    target = robots[0].data.root_pos_w.torch[0] if robots else env.scene.env_origins[0]
    lookat = tuple(target.tolist())
    return tuple(a + b for a, b in zip(lookat, _FROM, strict=True)), lookat
