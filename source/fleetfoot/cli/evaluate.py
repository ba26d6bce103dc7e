"""`evaluate.py`: what a trained policy is worth, without exploration, noise or pushes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import make_plan
from fleetfoot.cli.policy import open_policy
from fleetfoot.runners.logging.console import Console

if TYPE_CHECKING:
    from fleetfoot.core.vec_env import VecEnv
    from fleetfoot.runners.policy import InferencePolicy

__all__ = ["Evaluation", "evaluate", "measure"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came of letting every robot follow the policy for a while."""

    num_envs: int
    seconds: float
    """Simulated time of each robot [s]."""
    reward_per_second: float
    """Mean over robots and time [1/s]."""
    fallen: float
    """Share of the robots that fell (their episode terminated) at least once."""
    metrics: dict[str, float]
    """Mean of what the environment reports in every step, by name."""


def evaluate(arguments: Arguments) -> int:
    """Print the evaluation as a table, and write it as JSON if asked to."""
    plan = make_plan(arguments)
    console = Console()
    seconds = arguments.flags.seconds
    with open_policy(plan, console) as (env, policy, _), console.stage(f"run {env.num_envs} robots for {seconds:g} s"):
        evaluation = measure(env, policy, seconds)
    rows = {"robots": evaluation.num_envs, "simulated s each": evaluation.seconds}
    rows |= {"reward per s": evaluation.reward_per_second, "fallen": f"{evaluation.fallen:.1%}"} | evaluation.metrics
    for name, value in rows.items():
        print(f"  {name:<24}{value:.4g}" if isinstance(value, float) else f"  {name:<24}{value}")
    if arguments.flags.output:
        Path(arguments.flags.output).write_text(json.dumps(asdict(evaluation), indent=2) + "\n", encoding="utf-8")
    return 0


def measure(env: VecEnv, policy: InferencePolicy, seconds: float) -> Evaluation:
    """Let every robot follow the policy for so long.

    Args:
        env: The environment, reset here.
        policy: What to follow.
        seconds: Simulated time [s].
    """
    import torch

    from fleetfoot.runners.metrics import StepMetrics, read_back

    num_steps = round(seconds / env.step_dt)
    obs, metrics = env.reset(), StepMetrics()
    reward = torch.zeros((), device=env.device)
    fallen = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    for _ in range(num_steps):
        result = env.step(policy(obs))
        policy.reset(result.terminated | result.truncated)
        obs = result.obs
        reward += result.reward.mean()
        fallen |= result.terminated
        metrics.record(result)
    means = read_back(metrics.drain())
    return Evaluation(
        num_envs=env.num_envs,
        seconds=num_steps * env.step_dt,
        reward_per_second=float(reward) / (num_steps * env.step_dt),
        fallen=float(fallen.float().mean()),
        metrics={tag.removeprefix("Metrics/"): v for tag, v in means.items() if tag.startswith("Metrics/")},
    )
