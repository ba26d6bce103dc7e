"""What learning from one rollout costs: seconds of one PPO update, beside rsl_rl's on the same numbers.

The environment is none at all: 48 observations, 12 actions, random rewards. Both learners have the same networks
(128-128-128, ELU), 5 epochs of 4 mini-batches and a fixed learning rate. They take turns, since whatever else the
machine does hits both alike; the ratio is the median of the turns' ratios.

    python benchmarks/ppo_update.py [--num-envs 256 4096] [--repetitions 9] [--device cpu]

Needs `rsl-rl-lib==5.5.1` beside fleetfoot.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import FixedCfg, PpoCfg
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg

NUM_STEPS, NUM_OBS, NUM_ACTIONS = 24, 48, 12
HIDDEN = (128, 128, 128)


def main() -> None:
    """Print a table: one line per number of environments."""
    parser = argparse.ArgumentParser(description="Seconds of one PPO update, ours beside rsl_rl's.")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[256, 4096])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    print(f"{device}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    print("  envs   rsl_rl [s]   fleetfoot [s]   rsl_rl / fleetfoot   lowest   highest")
    for num_envs in arguments.num_envs:
        print(measure(num_envs, arguments.repetitions, device))


def measure(num_envs: int, repetitions: int, device: torch.device) -> str:
    """One line of the table."""
    theirs, ours = make_theirs(num_envs, device), make_ours(num_envs, device)
    theirs(), ours()  # the first calls allocate
    times = [(theirs(), ours()) for _ in range(repetitions)]
    ratios = [a / b for a, b in times]
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    return f"{num_envs:6d} {a:12.4f} {b:15.4f} {statistics.median(ratios):20.2f} {min(ratios):8.2f} {max(ratios):9.2f}"


@dataclass(frozen=True)
class NullEnv:
    """As much of an environment as building an algorithm asks for."""

    num_envs: int
    observation_spec = MappingProxyType({"policy": (NUM_OBS,)})
    action_spec = ActionSpec(size=NUM_ACTIONS)


def make_ours(num_envs: int, device: torch.device) -> Callable[[], float]:
    """A function that fills a rollout and returns how long our update of it took."""
    network = MlpCfg(hidden_dims=HIDDEN)
    cfg = OnPolicyRunnerCfg(
        experiment_name="benchmark",
        num_steps_per_env=NUM_STEPS,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",)),
        algorithm=PpoCfg(schedule=FixedCfg()),
        actor=ActorCfg(network=network, distribution=GaussianCfg(), obs_normalization=True),
        critic=CriticCfg(network=network, obs_normalization=True),
    )
    algorithm = build_algorithm(NullEnv(num_envs), cfg, device)  # pyright: ignore[reportArgumentType] (never stepped)

    def update() -> float:
        obs: Observations = draw(num_envs, device)
        for _ in range(NUM_STEPS):
            algorithm.act(obs)
            obs = draw(num_envs, device)
            algorithm.record(
                StepResult(obs=obs, reward=torch.randn(num_envs, device=device), **endings(num_envs, device))
            )
        return timed(lambda: algorithm.update(obs), device)

    return update


def make_theirs(num_envs: int, device: torch.device) -> Callable[[], float]:
    """A function that fills a rollout and returns how long rsl_rl's update of it took."""
    obs = TensorDict(draw(num_envs, device), batch_size=[num_envs])
    groups = {"actor": ["policy"], "critic": ["policy"]}
    gaussian = {"class_name": "GaussianDistribution"}
    shape = {"hidden_dims": HIDDEN, "obs_normalization": True}
    actor = MLPModel(obs, groups, "actor", NUM_ACTIONS, distribution_cfg=gaussian, **shape).to(device)
    critic = MLPModel(obs, groups, "critic", 1, **shape).to(device)
    storage = RolloutStorage("rl", num_envs, NUM_STEPS, obs, [NUM_ACTIONS], str(device))
    algorithm = PPO(actor, critic, storage, schedule="fixed", device=str(device))

    def update() -> float:
        obs = TensorDict(draw(num_envs, device), batch_size=[num_envs])
        with torch.inference_mode():
            for _ in range(NUM_STEPS):
                algorithm.act(obs)
                obs = TensorDict(draw(num_envs, device), batch_size=[num_envs])
                done = endings(num_envs, device)["terminated"].long()
                algorithm.process_env_step(obs, torch.randn(num_envs, device=device), done, {})

        def learn() -> None:
            with torch.inference_mode():
                algorithm.compute_returns(obs)
            algorithm.update()

        return timed(learn, device)

    return update


def draw(num_envs: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Random observations."""
    return {"policy": torch.randn(num_envs, NUM_OBS, device=device)}


def endings(num_envs: int, device: torch.device) -> dict[str, torch.Tensor | None]:
    """An episode in a hundred steps falls."""
    terminated = torch.rand(num_envs, device=device) < 0.01
    return {"terminated": terminated, "truncated": torch.zeros_like(terminated), "final_obs": None}


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that the work took, the device's part included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
