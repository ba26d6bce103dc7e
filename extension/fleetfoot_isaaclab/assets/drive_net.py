"""A drive of ours in the form that Isaac Lab loads its actuator networks in. It is a formula: nothing was learned.

The tasks with an ANYmal load a network that was trained on the real drive, a file of the asset server's. This is what
stands in for it: a TorchScript with the same interface which computes

    wanted = stiffness (target - q) - damping w

to which `isaaclab.actuators.ActuatorNetLSTM` applies the torque-speed line and the limit of its config. With those of
ANYdrive 3 that is the `Drive` of the description, so it is what MuJoCo's robot has.
"""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch

from fleetfoot.errors import ConfigError
from fleetfoot.robots.description import RobotDescription

__all__ = ["write_drive_net"]


@final
class _DriveNet(torch.nn.Module):
    """`[drives, 1, 2]` of position error [rad] and speed [rad/s] to `[drives, 1]` of torque [N m]; state as it was."""

    def __init__(self, stiffness: float, damping: float) -> None:
        super().__init__()
        self.stiffness = stiffness
        self.damping = damping
        # Never computed with: Isaac Lab reads the size of the state off the weights of a layer of this name.
        self.lstm = torch.nn.LSTM(2, 1, batch_first=True)
        for weight in self.lstm.parameters():
            torch.nn.init.zeros_(weight)

    def forward(
        self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return self.stiffness * x[..., 0] - self.damping * x[..., 1], state


def write_drive_net(robot: RobotDescription, path: Path) -> None:
    """Writes the gains of the robot's drives, which are all alike, as such a file, and the folders that it is in."""
    gains = {(joint.drive.stiffness, joint.drive.damping) for joint in robot.joints}
    if len(gains) != 1:
        raise ConfigError(
            f"{robot.name}.joints.drive", got=f"{len(gains)} kinds of gains", expected="one: a network is of one drive"
        )
    ((stiffness, damping),) = gains
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.script(_DriveNet(stiffness, damping).eval()), str(path))
