"""The runner for distillation: the same loop, with a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import final

from fleetfoot.algorithms.build_distillation import build_distillation
from fleetfoot.algorithms.distillation import Distillation
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg
from fleetfoot.runners.policy import load_networks
from fleetfoot.runners.runner import Runner
from fleetfoot.runners.teacher import read_teachers

__all__ = ["DistillationRunner"]


@final
class DistillationRunner(Runner[DistillationRunnerCfg, Distillation]):
    """Trains a student to act like a teacher, and refuses to begin without one.

    runner = DistillationRunner(env, cfg, log_dir="logs/my_student")
    runner.load_teacher("logs/my_teacher/checkpoints/best.pt")
    runner.learn(cfg.max_iterations)
    """

    def load_teacher(self, *paths: str | Path) -> None:
        """Take the teacher from the checkpoint of any run: its actor, or its student.

        Args:
            *paths: The file; with `more_teachers`, one for each teacher.

        Raises:
            CheckpointError: A file is unreadable, or of an environment with other actions.
            ConfigError: A teacher reads other observations, or is another network than in the config; names the field.
        """
        teachers = self.algorithm.teachers
        for teacher in read_teachers(paths, self.cfg, self.env, self.device):
            load_networks(teacher.checkpoint, {teacher.source: teachers.actors[teacher.name]}, str(teacher.path))
        teachers.sources = tuple(map(str, paths))

    def _build(self) -> Distillation:
        return build_distillation(self.env, self.cfg, self.device, self._ranks)

    def _require_ready(self) -> None:
        if not self.algorithm.teachers.sources:
            raise ConfigError(
                "agent.teacher",
                got="no trained policy",
                expected="one to learn from",
                fix="Call load_teacher(path) with a checkpoint, or load() the checkpoint of a distillation to go on.",
            )
