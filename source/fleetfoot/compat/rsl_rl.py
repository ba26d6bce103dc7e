"""rsl_rl's runners by another import: a script that was written for them trains with fleetfoot.

    from fleetfoot.compat.rsl_rl import OnPolicyRunner      # was: from rsl_rl.runners import OnPolicyRunner

    runner = OnPolicyRunner(env, train_cfg, log_dir="logs/my_run", device="cuda:0")
    runner.learn(num_learning_iterations=1500, init_at_random_ep_len=True)

Files, tags and numbers are those of rsl_rl 5.5.1, and so is how iterations are counted: from 0, and the last one is
done again when training goes on. Behind these faces are `runners.on_policy` and `runners.distillation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from fleetfoot.compat.adoption import ALL_PARTS
from fleetfoot.compat.checkpoint_file import Learned
from fleetfoot.compat.drop_in import DropIn, Policy
from fleetfoot.compat.mirrors import find_mirror_images
from fleetfoot.compat.train_cfg import ObservationSpec
from fleetfoot.compat.vec_env import Adapter, step_dt_of
from fleetfoot.core.device import exact_device
from fleetfoot.errors import ConfigError
from fleetfoot.runners import distillation, on_policy
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg, RunnerCfg

__all__ = ["DistillationRunner", "OnPolicyRunner", "Policy"]


@final
class OnPolicyRunner(DropIn[OnPolicyRunnerCfg, on_policy.OnPolicyRunner]):
    """Trains a policy with proximal policy optimisation; arguments as of `DropIn`.

    `load` knows the parts `actor`, `critic`, `optimizer`, `iteration`, `rnd`.
    """

    def _of_our_kind(self, cfg: RunnerCfg) -> OnPolicyRunnerCfg:
        if not isinstance(cfg, OnPolicyRunnerCfg):
            raise _other_runner("Distillation", "PPO", "DistillationRunner")
        return cfg

    def _adapt(self, data: Mapping[str, Any], spec: ObservationSpec) -> Adapter:
        groups, algorithm = self._cfg.obs_groups, self._cfg.algorithm
        if algorithm.rnd is not None and step_dt_of(self.env) is None:
            expected = "the duration of a control step [s], which the weight of curiosity is per second of"
            raise ConfigError("env.unwrapped.step_dt", got="nothing", expected=expected)
        spec = _only({*groups.actor, *groups.critic, *(groups.rnd_state if algorithm.rnd else ())}, spec)
        if algorithm.symmetry is None:
            return Adapter(self.env, self.device, spec)
        sizes = {group: shape[0] for group, shape in spec.items() if len(shape) == 1}
        function = data["algorithm"]["symmetry_cfg"]["data_augmentation_func"]
        return Adapter(self.env, self.device, spec, find_mirror_images(self.env, function, sizes))

    def _make_runner(self) -> on_policy.OnPolicyRunner:
        device = exact_device(self.device)
        return on_policy.OnPolicyRunner(self._env, self._cfg, device=device, writer=self.logger, ranks=self._ranks)

    def _parts(self, learned: Learned) -> Mapping[str, bool]:
        return {**ALL_PARTS, "iteration": True}

    def _require_ready(self) -> None:
        """It can always begin."""


@final
class DistillationRunner(DropIn[DistillationRunnerCfg, distillation.DistillationRunner]):
    """Trains a student to act like a teacher; arguments as of `DropIn`.

    `load` of a PPO checkpoint gives the teacher, without which `learn` refuses to begin; that of a student's, all it
    has. It knows the parts `student`, `teacher`, `optimizer`, `iteration`.
    """

    def _of_our_kind(self, cfg: RunnerCfg) -> DistillationRunnerCfg:
        if not isinstance(cfg, DistillationRunnerCfg):
            raise _other_runner("PPO", "Distillation", "OnPolicyRunner")
        return cfg

    def _adapt(self, data: Mapping[str, Any], spec: ObservationSpec) -> Adapter:
        groups = self._cfg.obs_groups
        return Adapter(self.env, self.device, _only({*groups.student, *groups.teacher}, spec))

    def _make_runner(self) -> distillation.DistillationRunner:
        device, log = exact_device(self.device), self.logger
        return distillation.DistillationRunner(self._env, self._cfg, device=device, writer=log, ranks=self._ranks)

    def _parts(self, learned: Learned) -> Mapping[str, bool]:
        return {"teacher": True} if "actor" in learned.networks else {**ALL_PARTS, "iteration": True}

    def _require_ready(self) -> None:
        if not self._runner.algorithm.teachers.sources:
            got, fix = "nothing", "Call runner.load(path) with the checkpoint of a PPO run, or of a distillation."
            raise ConfigError("the teacher", got=got, expected="a trained policy to learn from", fix=fix)


def _only(read: set[str], spec: ObservationSpec) -> ObservationSpec:
    """The observation groups that are read; all, where one of these is not there, which is then refused."""
    return {group: shape for group, shape in spec.items() if group in read or not read <= spec.keys()}


def _other_runner(got: str, expected: str, runner: str) -> ConfigError:
    return ConfigError("train_cfg.algorithm.class_name", got=got, expected=expected, fix=f"Use {runner}.")
