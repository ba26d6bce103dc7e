"""rsl_rl's runner by another import: a script that was written for it trains with fleetfoot.

    from fleetfoot.compat.rsl_rl import OnPolicyRunner      # was: from rsl_rl.runners import OnPolicyRunner

    runner = OnPolicyRunner(env, train_cfg, log_dir="logs/my_run", device="cuda:0")
    runner.learn(num_learning_iterations=1500, init_at_random_ep_len=True)

Files, tags and numbers are those of rsl_rl 5.5.1, and so is how iterations are counted: from 0, and the last one is
done again when training goes on. Behind this face is `runners.on_policy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from fleetfoot.compat.adoption import ALL_PARTS, adopt, learned_by
from fleetfoot.compat.migration import migrate_isaaclab_cfg
from fleetfoot.compat.mirrors import find_mirror_images
from fleetfoot.compat.rsl_rl_logger import Logger
from fleetfoot.compat.train_cfg import IsaacLabCfg, translate_train_cfg
from fleetfoot.compat.vec_env import Adapter, RslRlVecEnv, TheirObservations, observe, step_dt_of
from fleetfoot.compat.weights import load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.core.check import check_start
from fleetfoot.core.device import exact_device
from fleetfoot.core.distributed import refuse_other_ranks
from fleetfoot.errors import ConfigError
from fleetfoot.runners import on_policy
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.policy import InferencePolicy

__all__ = ["OnPolicyRunner", "Policy"]


@final
class OnPolicyRunner:
    """Trains a policy in an environment that was made for rsl_rl.

    Without a `seed` in the config everything random follows from what the script seeded torch with.

    Args:
        env: The environment.
        train_cfg: What rsl_rl's runner takes, of version 3 to 5, or the agent config of Isaac Lab that it is made of.
        log_dir: The run's folder; without it nothing is written.
        device: Where the networks live.

    Raises:
        ConfigError: The config asks for what cannot be had, or does not fit the environment.
        ContractError: The environment is not one for rsl_rl of version 3 or later.
    """

    def __init__(
        self,
        env: RslRlVecEnv,
        train_cfg: dict[str, Any] | IsaacLabCfg,
        log_dir: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.env, self.cfg, self.device = env, train_cfg, device
        refuse_other_ranks()
        self.is_distributed, self.gpu_world_size, self.gpu_local_rank, self.gpu_global_rank = False, 1, 0, 0
        data = _with_defaults(train_cfg, log_dir)
        self._spec = {group: tuple(x.shape[1:]) for group, x in observe(env, env.device).items()}
        cfg = translate_train_cfg(data, observation_spec=self._spec, step_dt=step_dt_of(env), refuse_unknown=False)
        if not isinstance(cfg, OnPolicyRunnerCfg):
            fix = "Use the runner of its kind."
            raise ConfigError("train_cfg.algorithm.class_name", got="Distillation", expected="PPO", fix=fix)
        self._cfg = cfg
        self._env = self._adapt(data)
        self.logger = Logger(log_dir, self._cfg, num_envs=env.num_envs, device=str(device))
        self._runner = on_policy.OnPolicyRunner(self._env, self._cfg, device=exact_device(device), writer=self.logger)
        self.alg = self._runner.algorithm
        """Our algorithm: `actor`, `critic`, `optimizer`, `learning_rate`, `train_mode()`, `eval_mode()`."""
        self.current_learning_iteration = 0

    def _adapt(self, data: Mapping[str, Any]) -> Adapter:
        """The environment as ours, with the observation groups that are read, and mirror images if they are."""
        groups, algorithm = self._cfg.obs_groups, self._cfg.algorithm
        if algorithm.rnd is not None and step_dt_of(self.env) is None:
            expected = "the duration of a control step [s], which the weight of curiosity is per second of"
            raise ConfigError("env.unwrapped.step_dt", got="nothing", expected=expected)
        read = {*groups.actor, *groups.critic, *(groups.rnd_state if algorithm.rnd else ())}
        spec = {group: shape for group, shape in self._spec.items() if group in read or not read <= self._spec.keys()}
        if algorithm.symmetry is None:
            return Adapter(self.env, self.device, spec)
        sizes = {group: shape[0] for group, shape in spec.items() if len(shape) == 1}
        function = data["algorithm"]["symmetry_cfg"]["data_augmentation_func"]
        return Adapter(self.env, self.device, spec, find_mirror_images(self.env, function, sizes))

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Train for so many iterations, and write `model_<iteration>.pt` at every interval and at the end.

        Args:
            num_learning_iterations: How many.
            init_at_random_ep_len: Begin at random times within the episodes, so that not all are cut at once.

        Raises:
            NonFiniteError: NaN or infinity came up.
            OutputError: The run's folder cannot be written.
        """
        env = self.env
        if init_at_random_ep_len:
            lengths = env.episode_length_buf
            env.episode_length_buf = torch.randint_like(lengths, high=self._env.max_episode_length)
        obs = self._env.reset()
        check_start(self._env, obs)
        self._runner.go_on_from(obs)
        self._runner.iteration = start = self.current_learning_iteration
        total = start + num_learning_iterations
        with self.logger.writing(start, total):
            for iteration in range(start, total):
                self._runner.learn(1)
                self.current_learning_iteration = iteration
                if iteration % self._cfg.save_interval == 0:
                    self._save_to_run()
            self._save_to_run()

    def _save_to_run(self) -> None:
        if self.logger.log_dir is not None:
            self.save(Path(self.logger.log_dir) / f"model_{self.current_learning_iteration}.pt")

    def save(self, path: str | Path, infos: Any = None) -> None:
        """Write a checkpoint that rsl_rl 5.5.1 loads.

        Args:
            path: The file.
            infos: Tensors and plain values to keep in it.
        """
        learned = learned_by(self.alg.state_dict(), self._cfg, self.current_learning_iteration + 1, infos)
        save_rsl_rl_checkpoint(path, learned, self._cfg)

    def load(
        self,
        path: str | Path,
        load_cfg: Mapping[str, bool] | None = None,
        strict: bool = True,
        map_location: str | torch.device | None = None,
    ) -> Any:
        """Take over a checkpoint of rsl_rl, or of this runner; returns the `infos` in it.

        Args:
            path: The file; written by any version from 2.3 to 5.5.
            load_cfg: What to take over: `actor`, `critic`, `optimizer`, `iteration`, `rnd`; by default everything.
            strict: Whether tensors are refused that are there and not here, or here and not there.
            map_location: Where to put the tensors of `infos`; by default where the networks are.

        Raises:
            CheckpointError: It is unreadable or does not fit.
        """
        learned = load_rsl_rl_checkpoint(path, device=map_location or self.device)
        parts = {**ALL_PARTS, "iteration": True} if load_cfg is None else load_cfg
        state = adopt(self.alg.state_dict(), self._cfg, learned, parts=parts, strict=strict, where=str(path))
        self.alg.load_state_dict(state)
        if parts.get("iteration"):
            self.current_learning_iteration = max(learned.iteration - 1, 0)
        return learned.infos

    def get_inference_policy(self, device: str | torch.device | None = None) -> Policy:
        """A copy of the policy for use: observations in, the most likely actions out."""
        return Policy(self._runner.get_inference_policy(device))

    def export_policy_to_jit(self, path: str | Path, filename: str = "policy.pt") -> None:
        """Write the policy as TorchScript into the folder `path`."""
        self._runner.export_policy_to_jit(path, filename)

    def export_policy_to_onnx(self, path: str | Path, filename: str = "policy.onnx", verbose: bool = False) -> None:
        """Write the policy as ONNX into the folder `path`; `verbose` changes nothing."""
        self._runner.export_policy_to_onnx(path, filename)

    def add_git_repo_to_log(self, repo_file_path: str | Path) -> None:
        """Also write down the state of the git repository that holds this file, when training begins."""
        self.logger.git_status_repos.append(str(repo_file_path))


@final
class Policy:
    """A trained policy as scripts for rsl_rl use it: `actions = policy(obs)`, `policy.reset(dones)`.

    Args:
        policy: Ours.
    """

    def __init__(self, policy: InferencePolicy) -> None:
        self._policy = policy
        inputs = policy.actor.inputs
        self._groups = (*inputs.groups, *inputs.images)
        self.is_recurrent = bool(policy.actor.memory.state_names)

    def __call__(self, obs: TheirObservations) -> Tensor:
        """Actions `[N, A]` for observations `[N, …]`."""
        return self._policy({group: obs[group].to(self._policy.device, torch.float32) for group in self._groups})

    def reset(self, dones: Tensor | None = None) -> None:
        """Forget what came before, where `dones` `[N]` says so, or everywhere."""
        self._policy.reset(None if dones is None else dones.to(self._policy.device).bool())


def _with_defaults(train_cfg: Mapping[str, Any] | IsaacLabCfg, log_dir: str | Path | None) -> dict[str, Any]:
    """The config in the form of 5.x, with what a script may leave to rsl_rl."""
    given = train_cfg.to_dict() if isinstance(train_cfg, IsaacLabCfg) else train_cfg
    names = ("experiment_name", "run_name")  # of folders that the script has made already
    data = migrate_isaaclab_cfg({key: value for key, value in given.items() if key not in names})
    never = {} if log_dir is not None else {"save_interval": 1}
    return {"seed": torch.initial_seed() % 2**31, **never, **data}
