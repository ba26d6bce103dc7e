"""Run as two ranks by test_together.py: each learns from its half of the environments of a rollout."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.build_distillation import build_distillation
from fleetfoot.core.distributed import join_ranks
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.runners.config import DistillationRunnerCfg

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])


def half(x: torch.Tensor) -> torch.Tensor:
    """This rank's environments of `[T, N, …]`."""
    return x.chunk(2, dim=1)[rank]


def take_half(algorithm, rollout: dict) -> dict[str, torch.Tensor]:
    """Fill the buffer with this rank's environments; returns their last observations."""
    buffer = algorithm.buffer
    for name, value in rollout["tensors"].items():
        getattr(buffer, name).copy_(half(value))
    for own, given in ((buffer.obs, rollout["obs"]), (buffer.final_obs, rollout["final_obs"])):
        for group, value in given.items():
            own[group].copy_(half(value))
    for own, given in zip(buffer.distribution, rollout["distribution"], strict=True):
        own.copy_(half(given))
    buffer.group_rewards = {name: half(x) for name, x in rollout["group_rewards"].items()}
    buffer._step = buffer.num_steps
    return {group: half(x[None])[0] for group, x in rollout["last_obs"].items()}


def learn(ranks, case: dict) -> dict:
    num_envs = case["rollouts"][0]["tensors"]["rewards"].shape[1] // 2
    build = build_distillation if isinstance(case["cfg"], DistillationRunnerCfg) else build_algorithm
    algorithm = build(ToyEnv(num_envs), case["cfg"], torch.device("cpu"), ranks)
    algorithm.load_state_dict(case["state"])
    algorithm.forget()  # what was remembered is that of all environments
    rates, counts = [], []
    for rollout in case["rollouts"]:
        metrics = algorithm.update(take_half(algorithm, rollout))
        rates.append(metrics["Loss/learning_rate"].item())
        counts.append(metrics["NonFinite/gradient"].item())
    networks = {name: network.state_dict() for name, network in algorithm.networks.items()}
    extensions = algorithm.state_dict().get("extensions", {})
    networks |= {name: state["networks"] for name, state in extensions.items() if "networks" in state}
    return {"networks": networks, "rates": rates, "skipped": counts}


def explore(ranks) -> dict:
    """What is random, and what is not, before anything is learned."""
    cfg = next(iter(cases.values()))["cfg"]
    cfg = replace(cfg, algorithm=replace(cfg.algorithm, shuffle="every_epoch"))
    env = ToyEnv(2)
    ppo = build_algorithm(env, cfg, env.device, ranks)
    actions = ppo.act(env.reset(1))
    weights = {name: network.state_dict() for name, network in ppo.networks.items()}
    return {"actions": actions, "order": next(ppo._orders(100)), "networks": weights}


cases = torch.load(sys.argv[2], weights_only=False)
with join_ranks("cpu") as joined:
    found = {name: learn(joined, case) for name, case in cases.items()} | {"explored": explore(joined)}
torch.save(found, folder / f"{rank}.pt")
