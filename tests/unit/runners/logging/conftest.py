"""A made-up run of a quadruped, as long as a test wants it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Timings

STEPS_PER_ITERATION = 6144

MakeReport = Callable[..., IterationReport]
MakeRun = Callable[..., RunInfo]


@pytest.fixture
def make_report() -> MakeReport:
    """Report of iteration `i` of `n`; `extra` replaces or adds scalars."""

    def make(
        i: int, n: int = 300, *, seconds_each: float = 0.5, extra: dict[str, float] | None = None
    ) -> IterationReport:
        noise = random.Random(i)
        learned = 1 - math.exp(-5 * i / n)
        timings = Timings(collection=0.35, simulation=0.29, inference=0.045, learning=0.15)
        scalars = {
            **timings.scalars(STEPS_PER_ITERATION),
            "Train/mean_reward": -1.2 + 26 * learned + noise.gauss(0, 0.5),
            "Train/mean_episode_length": 80 + 910 * learned,
            "Loss/value": 0.03 + 0.2 * (1 - learned),
            "Loss/surrogate": -0.006,
            "Loss/entropy": 17 - 14 * learned,
            "Loss/learning_rate": 1e-3,
            "Policy/mean_std": 1 - 0.65 * learned,
            "Policy/kl": 0.01 + abs(noise.gauss(0, 0.002)),
            "Policy/clip_fraction": 0.14,
            "Policy/explained_variance": 0.97 * learned,
            "Grad/actor_norm": 0.8,
            "Grad/critic_norm": 0.5,
            "Metrics/track_lin_vel": 0.97 * learned,
            "Metrics/track_ang_vel": 0.95 * learned,
            "Metrics/error_vel_xy": 0.9 - 0.8 * learned,
            "Episode_Termination/time_out": learned,
            "Episode_Termination/base_contact": 1 - learned,
        }
        for term in range(10):
            scalars[f"Episode_Reward/term_number_{term}_l2"] = learned * (0.9 - 0.2 * term)
        return IterationReport(
            iteration=i,
            num_iterations=n,
            env_steps=i * STEPS_PER_ITERATION,
            seconds=i * seconds_each,
            timings=timings,
            scalars=scalars | (extra or {}),
        )

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(*, resumed_from: int | None = None) -> RunInfo:
        return RunInfo(
            name="2026-01-05_12-00-00_test",
            log_dir=tmp_path,
            task="Anymal-Flat",
            run_id="abc123",
            num_envs=256,
            resumed_from=resumed_from,
            config={"agent": {"seed": 42}},
        )

    return make
