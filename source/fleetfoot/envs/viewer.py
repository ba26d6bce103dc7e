"""A window on one environment: MuJoCo's own viewer, shown what a snapshot says."""

from __future__ import annotations

from types import TracebackType
from typing import final

import mujoco
import mujoco.viewer

from fleetfoot.core.vec_env import VecEnv
from fleetfoot.envs.video import FilmedEnv
from fleetfoot.errors import ContractError

__all__ = ["Viewer"]


@final
class Viewer:
    """Shows the first environment; a context manager that closes the window.

    Args:
        env: What to show; offers `fleetfoot.envs.video.FilmedEnv`.

    Raises:
        ContractError: The environment cannot be shown.
    """

    def __init__(self, env: VecEnv) -> None:
        if not isinstance(env, FilmedEnv):
            expected = "an environment that offers fleetfoot.envs.video.FilmedEnv: states, and the model they are of"
            raise ContractError("a window", got=type(env).__name__, expected=expected)
        self._env = env
        self._model = mujoco.MjModel.from_xml_string(self._env.model_xml)
        self._data = mujoco.MjData(self._model)
        self._window = mujoco.viewer.launch_passive(self._model, self._data, show_left_ui=False, show_right_ui=False)
        camera = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, "track")
        if camera >= 0:
            self._window.cam.type = mujoco.mjtCamera.mjCAMERA_FIXED
            self._window.cam.fixedcamid = camera

    @property
    def is_closed(self) -> bool:
        """Whether the user has closed the window."""
        return not self._window.is_running()

    def draw(self) -> None:
        """Show the environment as it is now."""
        with self._window.lock():
            self._data.qpos[:] = self._env.snapshot(0)["qpos"]
            mujoco.mj_forward(self._model, self._data)
        self._window.sync()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close()
