"""The training loop: collect, update, report, save. Which algorithm learns is left to its faces.

Axis: `N` environments.
"""

from __future__ import annotations

import secrets
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.algorithms.build import count_environments
from fleetfoot.core.check import check_result, check_start
from fleetfoot.core.config import encode
from fleetfoot.core.device import exact_device
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import derive_seed, make_generator
from fleetfoot.core.vec_env import CurriculumEnv, DescribedEnv, FilmingEnv, Observations, StatefulEnv, VecEnv
from fleetfoot.errors import ConfigError, OutputError
from fleetfoot.export.onnx import export_onnx
from fleetfoot.export.torchscript import export_torchscript
from fleetfoot.runners.checkpoint import (
    Checkpoint,
    describe_versions,
    load_checkpoint,
    save_checkpoint,
    set_aside_later,
)
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg
from fleetfoot.runners.logging.build import file_writers
from fleetfoot.runners.logging.jsonl import METRICS_FILE
from fleetfoot.runners.logging.writer import IterationReport, MetricsWriter, NullWriter, RunInfo, Status, Timings
from fleetfoot.runners.metrics import EpisodeStatistics, StepMetrics, pool, raise_if_non_finite, read_back
from fleetfoot.runners.policy import InferencePolicy, check_fits
from fleetfoot.runners.provenance import git_commit, write_git_state
from fleetfoot.runners.restore import lend_policy, restore_algorithm, restore_environment, what_changed

__all__ = ["Runner"]

C = TypeVar("C", OnPolicyRunnerCfg, DistillationRunnerCfg)
A = TypeVar("A", bound=Algorithm)


class Runner(ABC, Generic[C, A]):
    """Trains a policy in an environment; which algorithm does, and when it may begin, is left to the faces.

    Args:
        env: The environment; stays the caller's to close.
        cfg: The run.
        log_dir: The run's folder; without it nothing is written.
        device: Where the networks live: the environment's device, which is the default.
        writer: Where reports go; by default TensorBoard, `metrics.jsonl` and, if configured, W&B in `log_dir`.
        metadata: Plain JSON data to carry in every checkpoint, as the task's name and config.
        env_seed: What is random in the environment follows from it; by default it follows from the config's seed.
        report: Takes what a person should know while the training goes on, a sentence at a time; by default a warning.
        ranks: The processes that train together; of them only the first writes. `learn`, `save` and `load` have to be
            called on all of them.

    Raises:
        ConfigError: The config does not fit the environment or the device.
    """

    def __init__(  # noqa: PLR0913 (beyond the first four they are named, and few runs need any)
        self,
        env: VecEnv,
        cfg: C,
        log_dir: str | Path | None = None,
        device: torch.device | str | None = None,
        *,
        writer: MetricsWriter | None = None,
        metadata: Mapping[str, Any] | None = None,
        env_seed: int | None = None,
        report: Callable[[str], None] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.env, self.cfg, self._ranks = env, cfg, ranks
        self.log_dir = Path(log_dir) if log_dir is not None else None
        self.device = exact_device(env.device if device is None else device)
        if self.device != exact_device(env.device):
            raise ConfigError("device", got=self.device, expected=f"the environment's device, {env.device}")
        self._num_envs = count_environments(env, ranks)
        self.algorithm = self._build()
        self.iteration = 0
        """Iterations done since the training began."""
        self.env_steps = 0
        """Environment steps made since the training began, over all environments of all ranks."""
        self.seconds = 0.0
        """Wall clock spent in the loop since the training began [s]."""
        self.best_reward = float("-inf")
        """Highest mean reward that a checkpoint was saved with."""
        self.stop_requested = False
        """Set it, from a signal handler say, and `learn` returns after the iteration in progress."""
        self._metadata = {**(metadata or {}), "git": git_commit(Path(__file__)), "device": self.device.type}
        seed = derive_seed(cfg.seed, "environment") % 2**31 if env_seed is None else env_seed
        self._env_seed = ranks.own_seed(seed)
        self._say = report or (lambda text: warnings.warn(text, stacklevel=3))
        chosen = writer if writer is not None else file_writers(cfg) if self.log_dir else NullWriter()
        self._writer = chosen if ranks.is_first else NullWriter()
        self._is_open = False
        self._saved: int | None = None
        self._acted_alone = True  # since the last checkpoint: rewards of somebody else's actions make it no better
        self._git_repos: list[Path] = []
        self._episodes = EpisodeStatistics(env.num_envs, self.device)
        self._step_metrics = StepMetrics()
        self._obs: Observations | None = None
        self.scalars: dict[str, float] = {}
        """Tag to value of the last iteration."""

    @abstractmethod
    def _build(self) -> A:
        """The algorithm, for `env` and `cfg` and on `device`."""
        ...

    @abstractmethod
    def _require_ready(self) -> None:
        """Raise a `ConfigError` if there is something without which it makes no sense to begin."""
        ...

    def learn(self, num_learning_iterations: int, init_at_random_ep_len: bool = False) -> None:
        """Train for so many more iterations.

        Args:
            num_learning_iterations: How many.
            init_at_random_ep_len: Begin at random times within the episodes, so that not all are cut at once.

        Raises:
            ConfigError: There is something that it cannot begin without.
            NonFiniteError: NaN or infinity came up; nothing of that iteration is saved.
            OutputError: The run's folder cannot be written.
        """
        self._require_ready()
        last = self.iteration + num_learning_iterations
        self._open()
        obs = self._begin(init_at_random_ep_len)
        self.algorithm.train_mode()
        while self.iteration < last and not any(self._ranks.share(self.stop_requested)):
            obs = self._iterate(obs, last)
            if self.iteration % self.cfg.save_interval == 0:
                self._try_to_save()
        self.stop_requested = False
        if self._saved != self.iteration:  # also where it was stopped before the first iteration: it can be resumed
            self._save_to_run()

    def request_stop(self) -> None:
        """Let `learn` return after the iteration in progress; safe to call from a signal handler."""
        self.stop_requested = True

    def go_on_from(self, obs: Observations) -> None:
        """Let the next `learn` begin with these observations, and reset nothing."""
        self._obs = obs

    def _iterate(self, obs: Observations, last: int) -> Observations:
        """One iteration: collect, update, report; returns the observations after it."""
        start = time.perf_counter()
        obs, simulation, inference = self._collect(obs)
        self._acted_alone &= self.algorithm.acts_alone
        collected = time.perf_counter()
        metrics = {**self.algorithm.update(obs), **self._episodes.metrics(), **self._step_metrics.drain()}
        scalars = pool(self._ranks.share(read_back(metrics)))
        learned = time.perf_counter()
        timings = Timings(
            collection=collected - start, simulation=simulation, inference=inference, learning=learned - collected
        )
        self._obs = obs
        self.iteration += 1
        self.env_steps += self.cfg.num_steps_per_env * self._num_envs
        self.seconds += timings.iteration
        self._report(scalars, timings, last)
        return obs

    def _collect(self, obs: Observations) -> tuple[Observations, float, float]:
        """Fill the rollout; returns the observations after it, and the seconds in the simulator and in the policy."""
        simulation = inference = 0.0
        for _ in range(self.cfg.num_steps_per_env):
            start = time.perf_counter()
            actions = self.algorithm.act(obs)
            decided = time.perf_counter()
            result = self.env.step(actions)
            stepped = time.perf_counter()
            if self.env_steps == 0:
                check_result(self.env, result)
            self.algorithm.record(result)
            self._episodes.record(result)
            self._step_metrics.record(result)
            obs = result.obs
            inference += decided - start
            simulation += stepped - decided
        return obs, simulation, inference

    def _report(self, scalars: dict[str, float], timings: Timings, last: int) -> None:
        raise_if_non_finite(scalars, self.iteration)
        scalars |= timings.scalars(self.cfg.num_steps_per_env * self._num_envs)
        self.scalars = {tag: value for tag, value in scalars.items() if value == value}
        report = IterationReport(
            iteration=self.iteration,
            num_iterations=last,
            env_steps=self.env_steps,
            seconds=self.seconds,
            timings=timings,
            scalars=self.scalars,
        )
        self._writer.write(report)
        self._hand_over_videos()

    def _begin(self, at_random_times: bool) -> Observations:
        """Observations to go on from: those of the checkpoint, of the last `learn`, or of a fresh start."""
        if self._obs is None:
            self._obs = self.env.reset(self._env_seed)
            self.algorithm.forget()
            check_start(self.env, self._obs)
            if at_random_times:
                generator = make_generator(self._ranks.own_seed(self.cfg.seed), "episode lengths", self.device)
                times = torch.rand(self.env.num_envs, generator=generator, device=self.device)
                self.env.episode_length.copy_(times * self.env.max_episode_length)
        return self._obs

    def _save_to_run(self) -> None:
        """`checkpoints/model_<iteration>.pt`, and `best.pt` when no earlier one had a higher mean reward."""
        if self.log_dir is None:
            return
        self._saved = self.iteration
        folder = self.log_dir / "checkpoints"
        reward = self.scalars.get("Train/mean_reward", float("-inf"))
        if is_best := self._acted_alone and reward > self.best_reward:
            self.best_reward = reward
        self._acted_alone = True
        names = [f"model_{self.iteration}.pt", *(["best.pt"] if is_best else [])]
        self._save(*(folder / name for name in names))

    def _try_to_save(self) -> None:
        """Save if it can be done; a disk that is full now may have room at the next interval, or at the end."""
        try:
            self._save_to_run()
        except OutputError as error:
            self._say(f"iteration {self.iteration} was not saved, and the training goes on: {error}")

    def save(self, path: str | Path) -> None:
        """Write a checkpoint that holds everything that decides the next number.

        Raises:
            OutputError: It cannot be written.
        """
        self._save(Path(path))

    def _save(self, *paths: Path) -> None:
        """The first rank writes what all of them know; the others wait until it is there, or cannot be."""
        checkpoint = self._checkpoint()
        with self._ranks.first_done():
            for path in paths if self._ranks.is_first else ():
                save_checkpoint(path, checkpoint)

    def load(self, path: str | Path, *, optimizer: bool = True, environment: bool = True) -> dict[str, Any]:
        """Take over a checkpoint.

        Args:
            path: The file.
            optimizer: Also the optimiser, the learning rate and the generators; else only the policy, also if it was a
                student and is an actor here, and the critic if both have one.
            environment: Also the state of the environments and the counts, so that training goes on as if it had not
                stopped. Needs as many environments, and ranks, as were saved.

        Returns:
            The checkpoint's metadata.

        Raises:
            CheckpointError: The checkpoint is unreadable or does not fit.
        """
        checkpoint = load_checkpoint(Path(path), device=self.device)
        check_fits(checkpoint, self.env, str(path))
        state = checkpoint.state
        own = self._ranks.own(state["ranks"])
        if not optimizer:
            lend_policy(checkpoint, self.cfg, self.algorithm.networks, str(path))
        else:
            restore_algorithm(checkpoint, own, self.algorithm, self.cfg, self.device.type, str(path))
            if len(state["ranks"]) != self._ranks.world_size:  # the parts of some are missing, or of no use
                seed = self._ranks.own_seed(self.cfg.seed)
                self.algorithm.reseed(derive_seed(seed, f"after {state['iteration']} iterations"))
        if environment:
            self._restore_progress(state, own)
        return checkpoint.metadata

    def _restore_progress(self, state: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Take over the counts of all ranks, and this one's own episodes."""
        self.iteration, self.env_steps = state["iteration"], state["env_steps"]
        self.seconds, self.best_reward = state["seconds"], state["best_reward"]
        if isinstance(self.env, CurriculumEnv):
            self.env.go_on_from_step(self.iteration * self.cfg.num_steps_per_env)
        if changed := what_changed(state, num_ranks=self._ranks.world_size, num_envs=self.env.num_envs):
            self._say(f"{changed}. The episodes begin afresh.")
            return
        if isinstance(self.env, StatefulEnv) and own["environment"] is not None:
            self._episodes.load_state_dict(own["episodes"])
            restore_environment(self.env, own["environment"])
            self._obs = own["obs"] or None  # nothing yet, if it was saved before training began

    def _describe(self) -> dict[str, Any]:
        """What a checkpoint and an exported policy say of themselves, as plain JSON data."""
        env = self.env
        return {
            **self._metadata,
            "agent": encode(self.cfg),
            "iteration": self.iteration,
            "env_steps": self.env_steps,
            "observation_spec": {group: list(shape) for group, shape in env.observation_spec.items()},
            "num_actions": env.action_spec.size,
            "policy_contract": env.policy_contract() if isinstance(env, DescribedEnv) else {},
            "versions": describe_versions(),
        }

    def _checkpoint(self) -> Checkpoint:
        """What all ranks know, on the first one."""
        env, algorithm = self.env, self.algorithm.state_dict()
        own = {
            "algorithm": {name: algorithm.pop(name) for name in self.algorithm.own_state},
            "episodes": self._episodes.state_dict(),
            "environment": env.state_dict() if isinstance(env, StatefulEnv) else None,
            "obs": dict(self._obs or {}),
        }
        state = {
            "algorithm": algorithm,
            "iteration": self.iteration,
            "env_steps": self.env_steps,
            "seconds": self.seconds,
            "best_reward": self.best_reward,
            "num_envs": env.num_envs,
            "ranks": self._ranks.gather(own),
        }
        return Checkpoint(metadata=self._describe(), state=state)

    def get_inference_policy(self, device: torch.device | str | None = None) -> InferencePolicy:
        """A copy of the policy for use: observations in, the most likely actions out."""
        return InferencePolicy(self.algorithm.actor, device or self.device)

    def export_policy_to_onnx(self, path: str | Path, filename: str = "policy.onnx") -> Path:
        """Write the policy as ONNX into the folder `path`; an `ExportError` if the file computes other actions."""
        return export_onnx(self.algorithm.actor, Path(path) / filename, self._describe())

    def export_policy_to_jit(self, path: str | Path, filename: str = "policy.pt") -> Path:
        """The same as TorchScript."""
        return export_torchscript(self.algorithm.actor, Path(path) / filename, self._describe())

    def train_mode(self) -> None:
        """Networks behave as in training."""
        self.algorithm.train_mode()

    def eval_mode(self) -> None:
        """Networks behave as in inference."""
        self.algorithm.eval_mode()

    def add_git_repo_to_log(self, path: str | Path) -> None:
        """Also write down the state of the git repository that holds `path`, when training begins."""
        self._git_repos.append(Path(path))

    def _hand_over_videos(self) -> None:
        if isinstance(self.env, FilmingEnv):
            for path in self.env.take_videos():
                self.add_video(path)

    def add_video(self, path: Path) -> None:
        """Hand a video of the policy as it is now to the writers."""
        self._writer.add_video(path, self.iteration)

    def close(self, status: Status = "finished") -> None:
        """Finish the writers; does nothing the second time."""
        if self._is_open:
            self._hand_over_videos()
            self._writer.close(status)
            self._is_open = False

    def _open(self) -> None:
        if self._is_open or self.log_dir is None or not self._ranks.is_first:
            return
        if self.iteration == 0 and (self.log_dir / METRICS_FILE).exists():
            fix = "Use another folder, or go on with that run: load its checkpoint first."
            raise OutputError(str(self.log_dir), got="a folder with another run in it", expected="a new one", fix=fix)
        set_aside_later(self.log_dir / "checkpoints", self.iteration)
        self._writer.start(
            RunInfo(
                name=self.log_dir.name,
                log_dir=self.log_dir,
                task=str(self._metadata.get("task", "")),
                run_id=f"{self.log_dir.name.replace('.', '-')}-{secrets.token_hex(4)}",
                device=str(self.device),
                num_envs=self._num_envs,
                resumed_from=self.iteration or None,
                config={**self._metadata, "agent": encode(self.cfg)},
            )
        )
        self._is_open = True
        for repo in (Path(__file__), *self._git_repos):
            write_git_state(repo, self.log_dir / "git")
