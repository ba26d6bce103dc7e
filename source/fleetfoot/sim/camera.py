"""MuJoCo's renderer as a camera: small pictures of many environments, one drawn after the other.

What costs much and shows little in a few pixels is left out: sky, shadows, reflections, antialiasing by the driver,
and most faces of round bodies. Where nothing is, a picture is black.

Axes: `n` environments, `Q` positions, `C` channels, `H` rows, `W` columns, `s` pixels drawn for each.
"""

from __future__ import annotations

import weakref
from typing import Any, Final, final

import mujoco
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from fleetfoot.core.device import exact_device
from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.sim.config import CameraCfg
from fleetfoot.sim.opengl import GlContext, open_context, working_backend

__all__ = ["MujocoCamera"]

_LUMA: Final = (0.299, 0.587, 0.114)
"""Brightness of red, green and blue (ITU-R BT.601)."""
_LEFT_OUT: Final = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
    mujoco.mjtRndFlag.mjRND_FOG,
    mujoco.mjtRndFlag.mjRND_HAZE,
)


@final
class MujocoCamera:
    """A camera of a MuJoCo model. It sees the model as it is compiled: not what was drawn for single environments.

    Args:
        xml: MJCF of one environment, in which the camera stands.
        name: The camera's name there.
        cfg: The pictures.
        device: Where the pictures live; they are drawn by the CPU or by whatever OpenGL finds.

    Raises:
        ConfigError: There is no camera of that name, or no OpenGL to draw with.
    """

    def __init__(self, xml: str, name: str, cfg: CameraCfg, *, device: torch.device | str = "cpu") -> None:
        self.shape: tuple[int, int, int] = (3 if cfg.colour == "rgb" else 1, cfg.height, cfg.width)
        self._cfg, self._device = cfg, exact_device(device)
        width, height = cfg.width * cfg.oversampling, cfg.height * cfg.oversampling
        self._model = _for_small_pictures(xml, width, height)
        self._data = mujoco.MjData(self._model)
        self._eye = _find_camera(self._model, name)
        self._scene = mujoco.MjvScene(self._model, maxgeom=max(100, 2 * self._model.ngeom))
        for flag in _LEFT_OUT:
            self._scene.flags[flag] = 0
        self._options = mujoco.MjvOption()
        self._frame = mujoco.MjrRect(0, 0, width, height)
        self._gl = open_context(working_backend(), width, height)
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        # Also where nobody closes it: MuJoCo's part must be freed while its OpenGL is current, so never by itself. At
        # the end of the process OpenGL may be gone already, and all is freed with it.
        self._release = weakref.finalize(self, _free, self._gl, self._context)
        self._release.atexit = False

    def __call__(self, qpos: Tensor) -> Tensor:
        """See `Camera.__call__`.

        Raises:
            ContractError: The camera is closed.
        """
        if not self._release.alive:
            raise ContractError("MujocoCamera", got="a call after close()", expected="an open camera")
        self._gl.make_current()
        pixels = np.empty((len(qpos), self._frame.height, self._frame.width, 3), dtype=np.uint8)
        for row, picture in zip(qpos.numpy(force=True), pixels, strict=True):
            self._draw(row, picture)
        return self._develop(torch.from_numpy(pixels)).to(self._device)

    def describe(self) -> dict[str, Any]:
        """See `Camera.describe`."""
        fovy = float(self._model.cam_fovy[self._eye.fixedcamid])
        return {"colour": self._cfg.colour, "range": [0.0, 1.0], "first_row": "top", "vertical_angle_deg": fovy}

    def close(self) -> None:
        """See `Camera.close`."""
        self._release()

    def _draw(self, qpos: np.ndarray, picture: np.ndarray) -> None:
        """Draw one environment into `picture`, uint8 `[s H, s W, 3]`, the bottom row first."""
        model, data = self._model, self._data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)  # cameras and lights may follow a centre of mass
        mujoco.mj_camlight(model, data)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(model, data, self._options, None, self._eye, everything, self._scene)
        mujoco.mjr_render(self._frame, self._scene, self._context)
        mujoco.mjr_readPixels(picture, None, self._frame, self._context)

    def _develop(self, pixels: Tensor) -> Tensor:
        """From what was drawn, uint8 `[n, s H, s W, 3]`, to pictures."""
        large = pixels.to(torch.float32).flip(1)
        if self._cfg.colour == "rgb":
            channels = large.movedim(3, 1)
        else:  # number by number: a matrix product may round otherwise where there are more pictures
            red, green, blue = (light * part for light, part in zip(_LUMA, large.unbind(3), strict=True))
            channels = (red + green + blue)[:, None]
        return avg_pool2d(channels, self._cfg.oversampling).div_(255.0).contiguous()


def _for_small_pictures(xml: str, width: int, height: int) -> mujoco.MjModel:
    model = mujoco.MjModel.from_xml_string(xml)
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    quality = model.vis.quality
    quality.offsamples = quality.shadowsize = 0
    quality.numslices, quality.numstacks, quality.numquads = 8, 4, 1
    return model


def _find_camera(model: mujoco.MjModel, name: str) -> mujoco.MjvCamera:
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
    if index < 0:
        known = ", ".join(model.camera(i).name for i in range(model.ncam)) or "none"
        raise ConfigError("camera", got=repr(name), expected=f"one of the model's cameras: {known}")
    camera = mujoco.MjvCamera()
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, index
    return camera


def _free(gl: GlContext, context: mujoco.MjrContext) -> None:
    gl.make_current()
    context.free()
    gl.free()
