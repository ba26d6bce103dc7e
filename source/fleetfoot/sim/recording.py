"""What was filmed, before it is drawn: states of one environment, and what they are states of.

Axes: `F` frames, `Q` generalised positions, `C` command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from fleetfoot.errors import ConfigError

__all__ = ["Recording", "base_velocity"]


@final
@dataclass(frozen=True, kw_only=True)
class Recording:
    """States of one environment, and the model they belong to."""

    model_xml: str
    """MJCF."""
    qpos: NDArray[np.float64]
    """Generalised positions, `[F, Q]`."""
    command: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """What was asked for, `[F, C]`; drawn if it is forward [m/s], left [m/s] and yaw rate [rad/s]. May be empty."""
    captions: tuple[str, ...] = ()
    """Text for each frame, several lines if need be; empty for none."""
    fps: float = 25.0
    """Frames per second of the time that passed [1/s]."""
    size: tuple[int, int] = (640, 480)
    """Width and height [pixels]; what is odd is made even, for the sake of H.264."""

    def __post_init__(self) -> None:
        frames = len(self.qpos)
        if self.qpos.ndim != 2 or not frames:
            raise ConfigError("recording.qpos", got=f"shape {self.qpos.shape}", expected="[F, Q] with F of at least 1")
        if self.command.size and (self.command.ndim != 2 or len(self.command) != frames):
            raise ConfigError(
                "recording.command", got=f"shape {self.command.shape}", expected=f"[{frames}, C] or empty"
            )
        if self.captions and len(self.captions) != frames:
            raise ConfigError("recording.captions", got=f"{len(self.captions)} texts", expected=f"{frames} or none")
        if self.fps <= 0 or min(self.size) < 2:
            raise ConfigError("recording", got=f"fps {self.fps}, size {self.size}", expected="both positive")

    def save(self, path: Path) -> None:
        """Write as `.npz`."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                model_xml=np.array(self.model_xml),
                qpos=self.qpos,
                command=self.command,
                captions=np.array(self.captions, dtype=np.str_),
                fps=np.array(self.fps),
                size=np.array(self.size),
            )

    @staticmethod
    def read(data: NpzFile) -> Recording:
        """What `save` wrote."""
        width, height = (int(value) for value in data["size"])
        return Recording(
            model_xml=str(data["model_xml"]),
            qpos=data["qpos"],
            command=data["command"],
            captions=tuple(str(text) for text in data["captions"]),
            fps=float(data["fps"]),
            size=(width, height),
        )


def base_velocity(pose: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """How a floating base moved, seen in its own heading, smoothed over about a quarter of a second.

    Args:
        pose: Position [m] and quaternion wxyz of the base, `[F, 7]`.
        fps: Frames per second [1/s].

    Returns:
        Forward [m/s], left [m/s] and yaw rate [rad/s], `[F, 3]`. Frames on either side of a jump (a reset) do not mix.
    """
    w, x, y, z = pose[:, 3:7].T
    yaw = np.unwrap(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
    track = np.column_stack([pose[:, :2], yaw])
    fastest = np.array([6.0, 6.0, 15.0]) / fps  # no robot here gets this far in a frame: it was put there
    jump = (np.abs(np.diff(track, axis=0)) > fastest).any(axis=1)
    episode = np.concatenate([[0], np.cumsum(jump)])
    reach = max(1, round(0.12 * fps))
    velocity = np.zeros((len(pose), 3))
    for frame in range(len(pose)):
        near = np.arange(max(0, frame - reach), min(len(pose), frame + reach + 1))
        near = near[episode[near] == episode[frame]]
        if len(near) > 1:
            velocity[frame] = (track[near[-1]] - track[near[0]]) * fps / (near[-1] - near[0])
    cos, sin = np.cos(yaw), np.sin(yaw)
    forward, left = velocity[:, 0].copy(), velocity[:, 1].copy()
    velocity[:, 0], velocity[:, 1] = cos * forward + sin * left, cos * left - sin * forward
    return velocity
