import pytest
import torch

from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg
from fleetfoot.algorithms.schedules import adapt_learning_rate

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
