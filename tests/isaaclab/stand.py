"""Run by test_anymal.py in a process of its own: Isaac Lab's AnymalD on our USD stands for two seconds.

python tests/isaaclab/stand.py SAVED.npz      # with ISAACSIM_ASSET_ROOT set
"""

import sys

import gymnasium as gym
import isaaclab_tasks  # noqa: F401  registers the tasks
import numpy as np
import torch
from isaaclab.app import launch_simulation
from isaaclab_tasks.utils.hydra import resolve_task_config

TASK = "Isaac-Velocity-Flat-AnymalD"


def main(path: str) -> None:
    cfg, _ = resolve_task_config(TASK, None, overrides=[])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = 2, "cpu", 1
    # As described, and left alone: no other mass, no push, and no speed to begin with.
    for event in ("add_base_mass", "base_com", "push_robot", "reset_base", "reset_robot_joints"):
        setattr(cfg.events, event, None)
    with launch_simulation(cfg, {"device": "cpu"}):
        env = gym.make(TASK, cfg=cfg)
        env.reset()
        robot, sensor = env.unwrapped.scene["robot"], env.unwrapped.scene["contact_forces"]
        observed, fell = [], torch.zeros(2, dtype=torch.bool)
        forces = torch.zeros_like(sensor.data.net_forces_w.torch)
        for step in range(100):
            obs, _, terminated, _, _ = env.step(torch.zeros(2, 12))
            observed.append(obs["policy"].clone())
            fell |= terminated
            if step >= 75:  # the mean of half a second
                forces += sensor.data.net_forces_w.torch / 25
        saved = {
            "observed": torch.stack(observed),
            "fell": fell,
            "forces": forces,
            "masses": robot.data.body_mass.torch,
            "joint_pos": robot.data.joint_pos.torch,
            "root_pose": robot.data.root_link_pose_w.torch,
            "body_pos": robot.data.body_link_pos_w.torch,
            "armature": robot.data.joint_armature.torch,
            "limits": robot.data.joint_pos_limits.torch,
            "default": robot.data.default_joint_pos.torch,
        }
        names = {"joints": robot.joint_names, "bodies": robot.body_names, "felt": sensor.sensor_names}
        np.savez(path, **{name: tensor.cpu().numpy() for name, tensor in saved.items()}, **names)
        env.close()


if __name__ == "__main__":
    main(sys.argv[1])
