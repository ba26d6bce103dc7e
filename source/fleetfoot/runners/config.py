"""What a training run is made of: the tree below `agent.` on the command line. No torch here: this is data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, assert_never

from pydantic import Field

from fleetfoot.algorithms.config import DistillationCfg, PpoCfg
from fleetfoot.core.config import Count, NonNegativeInt, config, decode, nearest
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import ActorCfg, CriticCfg

__all__ = [
    "DistillationGroupsCfg",
    "DistillationRunnerCfg",
    "ObsGroupsCfg",
    "OnPolicyRunnerCfg",
    "RunCfg",
    "RunnerCfg",
    "TrainedPolicy",
    "decode_agent",
    "trained_policy",
]

Groups: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1)]


@config
class RunCfg:
    """What every training run has."""

    experiment_name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    """Folder below `logs/fleetfoot` that the runs of this kind share."""
    run_name: Annotated[str, Field(pattern=r"^[\w.-]*$")] = ""
    """Appended to the name of the run's folder."""
    seed: NonNegativeInt = 42
    """Everything random in the run follows from it."""
    num_steps_per_env: Count = 24
    """Control steps collected in each environment per iteration."""
    max_iterations: Count = 1500
    """Iterations of collecting and learning."""
    save_interval: Count = 50
    """Iterations between two checkpoints."""
    logger: Literal["tensorboard", "wandb"] = "tensorboard"
    """Where metrics go besides the console and `metrics.jsonl`."""
    wandb_project: str = "fleetfoot"
    """Project that W&B runs are filed under."""


@config
class ObsGroupsCfg:
    """Which observation groups of the environment each network reads, concatenated in this order."""

    actor: Groups = ("policy",)
    """Groups for the actor: what the robot can sense."""
    critic: Groups = ("critic",)
    """Groups for the critic: it may know what only a simulator knows."""
    rnd_state: Groups = ("policy",)
    """Groups in which `agent.algorithm.rnd` looks for what is new; nothing reads them without it."""


@config
class OnPolicyRunnerCfg(RunCfg):
    """A training run with an on-policy algorithm."""

    kind: Literal["on_policy"] = "on_policy"
    critic_experiment: Annotated[str, Field(pattern=r"^[\w.-]*$")] = ""
    """Folder whose runs `--critic latest` and `--critic best` mean; empty for that of this run."""
    obs_groups: ObsGroupsCfg = ObsGroupsCfg()
    algorithm: PpoCfg = PpoCfg()
    actor: ActorCfg = ActorCfg()
    critic: CriticCfg = CriticCfg()


@config
class DistillationGroupsCfg:
    """Which observation groups of the environment each network reads, concatenated in this order."""

    student: Groups = ("policy",)
    """Groups for the student: what the robot can sense."""
    teacher: Groups = ("policy",)
    """Groups for the teacher: the numbers that it was trained on, in that order, whatever the groups were called."""


@config
class DistillationRunnerCfg(RunCfg):
    """A training run in which a student learns to act like a teacher."""

    kind: Literal["distillation"] = "distillation"
    teacher_experiment: Annotated[str, Field(pattern=r"^[\w.-]*$")] = ""
    """Folder whose runs `--teacher latest` and `--teacher best` mean; empty for that of this run."""
    obs_groups: DistillationGroupsCfg = DistillationGroupsCfg()
    algorithm: DistillationCfg = DistillationCfg()
    student: ActorCfg = ActorCfg()
    teacher: ActorCfg = ActorCfg()
    more_teachers: tuple[ActorCfg, ...] = ()
    """Further teachers, each with a block of the environments to itself: of `K` teachers and `N` environments, teacher
    `n K // N`, counted from zero, is the one of environment `n`."""

    @property
    def teachers(self) -> dict[str, ActorCfg]:
        """All of them, by their paths below `agent.`."""
        more = {f"more_teachers[{i}]": cfg for i, cfg in enumerate(self.more_teachers)}
        return {"teacher": self.teacher, **more}


RunnerCfg: TypeAlias = OnPolicyRunnerCfg | DistillationRunnerCfg
"""The whole config of an agent."""


def decode_agent(data: Mapping[str, Any], *, where: str) -> RunnerCfg:
    """The config of an agent from what `encode` made of it.

    Raises:
        ConfigError: It is of no kind that there is, or a field of it is wrong.
    """
    kinds = {"on_policy": OnPolicyRunnerCfg, "distillation": DistillationRunnerCfg}
    kind = str(data.get("kind"))
    if kind not in kinds:
        raise ConfigError(f"{where}.kind", got=kind, expected="a kind of run", fix=nearest(kind, kinds))
    return decode(kinds[kind], data, where=where)


class TrainedPolicy(NamedTuple):
    """The network that a run is about: the one that is played, evaluated, exported and lent to other runs."""

    name: str
    """Its name below `agent.`, and in a checkpoint."""
    cfg: ActorCfg
    groups: tuple[str, ...]
    """The observation groups that it reads."""


def trained_policy(cfg: RunnerCfg) -> TrainedPolicy:
    """Which network of a run that is."""
    match cfg:
        case OnPolicyRunnerCfg():
            return TrainedPolicy("actor", cfg.actor, cfg.obs_groups.actor)
        case DistillationRunnerCfg():
            return TrainedPolicy("student", cfg.student, cfg.obs_groups.student)
        case _:
            assert_never(cfg)
