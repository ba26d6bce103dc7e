"""What a training run is made of: the tree below `agent.` on the command line. No torch here: this is data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fleetfoot.algorithms.config import AlgorithmCfg, PpoCfg
from fleetfoot.core.config import Count, NonNegativeInt, config
from fleetfoot.models.config import ActorCfg, CriticCfg

__all__ = ["ObsGroupsCfg", "OnPolicyRunnerCfg"]


@config
class ObsGroupsCfg:
    """Which observation groups of the environment each network reads, concatenated in this order."""

    actor: Annotated[tuple[str, ...], Field(min_length=1)] = ("policy",)
    """Groups for the actor: what the robot can sense."""
    critic: Annotated[tuple[str, ...], Field(min_length=1)] = ("critic",)
    """Groups for the critic: it may know what only a simulator knows."""
    rnd_state: Annotated[tuple[str, ...], Field(min_length=1)] = ("policy",)
    """Groups in which `agent.algorithm.rnd` looks for what is new; nothing reads them without it."""


@config
class OnPolicyRunnerCfg:
    """A training run with an on-policy algorithm."""

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
    obs_groups: ObsGroupsCfg = ObsGroupsCfg()
    algorithm: AlgorithmCfg = PpoCfg()
    actor: ActorCfg = ActorCfg()
    critic: CriticCfg = CriticCfg()
