import pytest
import torch

from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    FixedCfg,
    GammaWarmupCfg,
    LinearCfg,
    RndLinearCfg,
    RndStepCfg,
    StepCfg,
)
from fleetfoot.algorithms.schedules import (
    adapt_learning_rate,
    planned,
    planned_bonus_weight,
    planned_learning_rate,
    warmed_up_gamma,
)

CFG = AdaptiveKlCfg(desired_kl=0.01, factor=1.5, min_learning_rate=1e-5, max_learning_rate=1e-2)


def adapted(learning_rate: float, kl: float, cfg=CFG) -> float:
    return adapt_learning_rate(cfg, torch.tensor(learning_rate), torch.tensor(kl)).item()


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        (0.0201, 2e-4),  # too far: divided by 1.5
        (0.02, 3e-4),  # exactly twice the aim is not too far
        (0.01, 3e-4),
        (0.005, 3e-4),  # exactly half of it is not too near
        (0.0049, 4.5e-4),  # too near: multiplied by 1.5
        (1e-12, 4.5e-4),
        (0.0, 3e-4),  # nothing was learned yet: the first mini-batch says nothing
        (-1e-9, 3e-4),
        (float("nan"), 3e-4),
        (float("inf"), 2e-4),
    ],
)
def test_the_rate_follows_the_divergence(kl, expected):
    assert adapted(3e-4, kl) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("learning_rate", "kl", "expected"),
    [(1.2e-5, 1.0, 1e-5), (1e-5, 1.0, 1e-5), (8e-3, 1e-4, 1e-2), (1e-2, 1e-4, 1e-2)],
)
def test_the_rate_stays_within_its_bounds(learning_rate, kl, expected):
    assert adapted(learning_rate, kl) == pytest.approx(expected)


def test_the_factor_is_that_of_the_config():
    assert adapted(1e-3, 1.0, AdaptiveKlCfg(factor=4.0)) == pytest.approx(2.5e-4)


@pytest.mark.parametrize("kl", [0.0, 1e-6, 0.01, 10.0])
def test_a_fixed_rate_stays(kl):
    assert adapted(3e-4, kl, FixedCfg()) == pytest.approx(3e-4)


def test_the_discount_rises_evenly_in_the_logarithm_of_its_distance_to_one():
    warmup = GammaWarmupCfg(start=0.96, begin=3, iterations=2)
    # 1 - 0.96 = 0.04, 1 - 0.99 = 0.01; half way their geometric mean is sqrt(0.04 * 0.01) = 0.02.
    gammas = [warmed_up_gamma(0.99, warmup, i) for i in (0, 3, 4, 5, 6)]
    assert gammas == pytest.approx([0.96, 0.96, 0.98, 0.99, 0.99], abs=1e-12)


def test_without_a_warm_up_the_discount_stays():
    assert [warmed_up_gamma(0.9, None, i) for i in (0, 7)] == [0.9, 0.9]


def test_a_linear_rate_waits_falls_and_stays():
    cfg = LinearCfg(final=1e-4, begin=10, iterations=20)
    rates = [planned_learning_rate(cfg, 5e-4, i) for i in (0, 10, 15, 20, 30, 99)]
    assert rates == pytest.approx([5e-4, 5e-4, 4e-4, 3e-4, 1e-4, 1e-4])
    rate = torch.tensor(5e-4)
    assert adapt_learning_rate(cfg, rate, torch.tensor(9.9)) is rate


def test_a_rate_without_a_plan_stays_what_it_is():
    assert planned_learning_rate(FixedCfg(), 5e-4, 7) is None
    assert planned_learning_rate(AdaptiveKlCfg(), 5e-4, 7) is None


def test_a_rate_may_change_at_once():
    cfg = StepCfg(final=1e-4, at=10)
    assert [planned_learning_rate(cfg, 5e-4, i) for i in (9, 10)] == [5e-4, 1e-4]
    rate = torch.tensor(5e-4)
    assert adapt_learning_rate(cfg, rate, torch.tensor(9.9)) is rate


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        (FixedCfg(), [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
        (StepCfg(final=0.1, at=10), [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]),
        (StepCfg(final=0.1, at=11), [0.5, 0.5, 0.1, 0.1, 0.1, 0.1]),
        (LinearCfg(final=0.1, begin=10, iterations=4), [0.5, 0.5, 0.4, 0.3, 0.1, 0.1]),
        (LinearCfg(final=0.9, begin=10, iterations=1), [0.5, 0.5, 0.9, 0.9, 0.9, 0.9]),
    ],
)
def test_a_number_follows_its_schedule(cfg, expected):
    assert [planned(cfg, 0.5, iteration) for iteration in (0, 10, 11, 12, 14, 99)] == pytest.approx(expected)


def test_a_linear_schedule_begins_and_ends_at_the_very_numbers():
    cfg = LinearCfg(final=1e-4, begin=300, iterations=350)
    assert planned(cfg, 1e-3, 300) == 1e-3
    assert planned(cfg, 1e-3, 650) == planned(cfg, 1e-3, 651) == pytest.approx(1e-4, rel=1e-12)


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        (FixedCfg(), [2.0, 2.0, 2.0, 2.0, 2.0]),
        (RndStepCfg(final=0.5, at=3), [2.0, 2.0, 0.5, 0.5, 0.5]),
        (RndLinearCfg(final=1.0, begin=2, steps=4), [2.0, 2.0, 1.75, 1.0, 1.0]),
        (RndLinearCfg(final=4.0, begin=0, steps=1), [4.0, 4.0, 4.0, 4.0, 4.0]),
    ],
)
def test_the_weight_of_a_bonus_follows_the_steps(cfg, expected):
    weights = planned_bonus_weight(cfg, 2.0, torch.tensor([1, 2, 3, 6, 10_000]))
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx(expected)
