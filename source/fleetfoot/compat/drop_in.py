"""What both of rsl_rl's runners have in common, in front of a runner of ours.

Several processes join here: a script for rsl_rl is started by torchrun, makes a runner in each process, and does not
say when it is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from fleetfoot.compat.adoption import adopt, learned_by
from fleetfoot.compat.checkpoint_file import Learned
from fleetfoot.compat.migration import migrate_isaaclab_cfg
from fleetfoot.compat.rsl_rl_logger import Logger
from fleetfoot.compat.train_cfg import IsaacLabCfg, ObservationSpec, translate_train_cfg
from fleetfoot.compat.vec_env import Adapter, RslRlVecEnv, TheirObservations, observe, step_dt_of
from fleetfoot.compat.weights import load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.core.check import check_start
from fleetfoot.core.distributed import Ranks, join_until_exit
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg, RunnerCfg
from fleetfoot.runners.policy import InferencePolicy
from fleetfoot.runners.runner import Runner

__all__ = ["DropIn", "Policy"]

C = TypeVar("C", OnPolicyRunnerCfg, DistillationRunnerCfg)
R = TypeVar("R", bound=Runner[Any, Any])


class DropIn(ABC, Generic[C, R]):
    """Trains in an environment that was made for rsl_rl; what is trained, and when it may begin, is left to the faces.

    Without a `seed` in the config everything random follows from what the script seeded torch with.

    Args:
        env: The environment.
        train_cfg: What rsl_rl's runner takes, of version 3 to 5, or the agent config of Isaac Lab that it is made of.
        log_dir: The run's folder; without it nothing is written.
        device: Where the networks live; `cuda:<LOCAL_RANK>` or `cpu` where torchrun has started several processes.

    Raises:
        ConfigError: The config asks for what cannot be had, or does not fit the environment or the device.
        ContractError: The environment is not one for rsl_rl of version 3 or later.
        RankError: Another process does not come, or fails.
    """

    def __init__(
        self,
        env: RslRlVecEnv,
        train_cfg: dict[str, Any] | IsaacLabCfg,
        log_dir: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.env, self.cfg, self.device = env, train_cfg, device
        self._ranks = ranks = _join(str(device))
        self.is_distributed, self.gpu_world_size = ranks.world_size > 1, ranks.world_size
        self.gpu_local_rank, self.gpu_global_rank = ranks.local_rank, ranks.rank
        with self._together():
            data = _with_defaults(train_cfg, log_dir)
            spec = {group: tuple(x.shape[1:]) for group, x in observe(env, env.device).items()}
            self._cfg = self._of_our_kind(
                translate_train_cfg(data, observation_spec=spec, step_dt=step_dt_of(env), refuse_unknown=False)
            )
            self._env = self._adapt(data, spec)
            num_envs, is_first = env.num_envs * ranks.world_size, ranks.is_first
            self.logger = Logger(log_dir, self._cfg, num_envs=num_envs, device=str(device), is_first=is_first)
            self._runner = self._make_runner()
        self.alg = self._runner.algorithm
        """Our algorithm: its networks, `optimizer`, `train_mode()`, `eval_mode()`."""
        self.current_learning_iteration = 0

    @abstractmethod
    def _of_our_kind(self, cfg: RunnerCfg) -> C:
        """The config, if it is one for this runner; else a `ConfigError`."""
        ...

    @abstractmethod
    def _adapt(self, data: Mapping[str, Any], spec: ObservationSpec) -> Adapter:
        """The environment as ours, with the observation groups that are read.

        Args:
            data: The config in the form of 5.x.
            spec: All the groups that there are, and their shapes.
        """
        ...

    @abstractmethod
    def _make_runner(self) -> R:
        """The runner of ours that does the work."""
        ...

    @abstractmethod
    def _parts(self, learned: Learned) -> Mapping[str, bool]:
        """What is taken over of a checkpoint where the script does not say."""
        ...

    @abstractmethod
    def _require_ready(self) -> None:
        """Raise a `ConfigError` if there is something without which it makes no sense to begin."""
        ...

    @final
    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Train for so many iterations, and write `model_<iteration>.pt` at every interval and at the end.

        Args:
            num_learning_iterations: How many.
            init_at_random_ep_len: Begin at random times within the episodes, so that not all are cut at once.

        Raises:
            ConfigError: There is something that it cannot begin without.
            NonFiniteError: NaN or infinity came up.
            OutputError: The run's folder cannot be written.
            RankError: Another process fails, or does not answer.
        """
        with self._together():
            self._require_ready()
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
            self._ranks.share(None)  # what the first has written is there for all

    def _save_to_run(self) -> None:
        if self.logger.log_dir is not None and self._ranks.is_first:
            self.save(Path(self.logger.log_dir) / f"model_{self.current_learning_iteration}.pt")

    @final
    def save(self, path: str | Path, infos: Any = None) -> None:
        """Write a checkpoint that rsl_rl 5.5.1 loads; every process that is told to does, as there.

        Args:
            path: The file.
            infos: Tensors and plain values to keep in it.
        """
        learned = learned_by(self.alg.state_dict(), self._cfg, self.current_learning_iteration + 1, infos)
        save_rsl_rl_checkpoint(path, learned, self._cfg)

    @final
    def load(
        self,
        path: str | Path,
        load_cfg: Mapping[str, bool] | None = None,
        strict: bool = True,
        map_location: str | torch.device | None = None,
    ) -> Any:
        """Take over a checkpoint of rsl_rl, or of this runner; returns the `infos` in it. Every process has to.

        Args:
            path: The file; written by any version from 2.3 to 5.5.
            load_cfg: What to take over: `iteration`, `optimizer`, the networks by their names; by default everything.
            strict: Whether tensors are refused that are there and not here, or here and not there.
            map_location: Where to put the tensors of `infos`; by default where the networks are.

        Raises:
            CheckpointError: It is unreadable or does not fit.
        """
        with self._together():
            learned = load_rsl_rl_checkpoint(path, device=map_location or self.device)
            parts = self._parts(learned) if load_cfg is None else load_cfg
            state = adopt(self.alg.state_dict(), self._cfg, learned, parts=parts, strict=strict, where=str(path))
            self.alg.load_state_dict(state)
        if parts.get("iteration"):
            self.current_learning_iteration = max(learned.iteration - 1, 0)
        return learned.infos

    @final
    def get_inference_policy(self, device: str | torch.device | None = None) -> Policy:
        """A copy of the policy for use: observations in, the most likely actions out."""
        return Policy(self._runner.get_inference_policy(device))

    @final
    def export_policy_to_jit(self, path: str | Path, filename: str = "policy.pt") -> None:
        """Write the policy as TorchScript into the folder `path`."""
        self._runner.export_policy_to_jit(path, filename)

    @final
    def export_policy_to_onnx(self, path: str | Path, filename: str = "policy.onnx", verbose: bool = False) -> None:
        """Write the policy as ONNX into the folder `path`; `verbose` changes nothing."""
        self._runner.export_policy_to_onnx(path, filename)

    @final
    def add_git_repo_to_log(self, repo_file_path: str | Path) -> None:
        """Also write down the state of the git repository that holds this file, when training begins."""
        self.logger.git_status_repos.append(str(repo_file_path))

    @contextmanager
    def _together(self) -> Iterator[None]:
        """What fails here ends the training of the other processes, which would wait for an answer."""
        try:
            yield
        except BaseException as error:
            self._ranks.leave(error)
            raise


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


def _join(device: str) -> Ranks:
    """The processes that torchrun has started, this one on a device of its own."""
    is_cuda = device.startswith("cuda")
    ranks = join_until_exit("cuda" if is_cuda else device)
    own = ranks.own_device("cuda")
    if ranks.world_size > 1 and is_cuda and device not in ("cuda", own):
        error = ConfigError("device", got=device, expected=f"{own}, the one of this process (LOCAL_RANK), or cpu")
        ranks.leave(error)
        raise error
    return ranks


def _with_defaults(train_cfg: Mapping[str, Any] | IsaacLabCfg, log_dir: str | Path | None) -> dict[str, Any]:
    """The config in the form of 5.x, with what a script may leave to rsl_rl."""
    given = train_cfg.to_dict() if isinstance(train_cfg, IsaacLabCfg) else train_cfg
    names = ("experiment_name", "run_name")  # of folders that the script has made already
    data = migrate_isaaclab_cfg({key: value for key, value in given.items() if key not in names})
    never = {} if log_dir is not None else {"save_interval": 1}
    return {"seed": torch.initial_seed() % 2**31, **never, **data}
