import math

import pytest
import torch

from fleetfoot.algorithms.guard import count_non_finite, take_step
from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.distributions import Gaussian
from fleetfoot.storage.rollout import RolloutBuffer


@pytest.fixture
def parts():
    """Two networks: one of two parameters, one of a parameter of its own."""
    return [
        [torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)],
        [torch.zeros(1, requires_grad=True)],
    ]


def optimizer_of(parts) -> torch.optim.Adam:
    return torch.optim.Adam([p for part in parts for p in part], lr=0.1, fused=True)


def set_gradients(parts, *values) -> None:
    for p, value in zip([p for part in parts for p in part], values, strict=True):
        p.grad = None if value is None else torch.tensor([value])


def test_each_network_is_scaled_down_to_its_own_norm(parts):
    set_gradients(parts, 3.0, 4.0, 10.0)
    norms, skipped = take_step(optimizer_of(parts), parts, (1.0, math.inf))
    assert norms.tolist() == [5.0, 10.0]
    assert skipped.item() == 0.0
    assert [p.grad.item() for part in parts for p in part] == pytest.approx([0.6, 0.8, 10.0], rel=1e-5)
    assert all(p.item() == pytest.approx(-0.1) for part in parts for p in part)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_step_with_a_broken_gradient_is_left_out(parts, broken):
    set_gradients(parts, 3.0, 4.0, broken)
    norms, skipped = take_step(optimizer_of(parts), parts, (1.0, 1.0))
    assert norms[0].item() == 5.0
    assert skipped.item() == 1.0
    assert all(p.item() == 0.0 for part in parts for p in part)


def test_a_network_without_a_gradient_stays_and_has_norm_zero(parts):
    set_gradients(parts, None, None, 2.0)
    norms, _ = take_step(optimizer_of(parts), parts, (1.0, 1.0))
    assert norms.tolist() == [0.0, 2.0]
    assert [p.item() for part in parts for p in part] == pytest.approx([0.0, 0.0, -0.1])


def test_what_is_not_finite_is_counted_by_what_it_is():
    one = torch.zeros(1, 1)
    rollout = RolloutBuffer(1, 3, 1, {"policy": (2,)}, (), Gaussian(one, one), (), torch.device("cpu"))
    nan, inf = float("nan"), float("inf")
    obs = {"policy": torch.tensor([[0.0, nan], [inf, 0.0], [0.0, -inf]])}
    rollout.add_decision(obs, (), torch.tensor([[1.0], [nan], [2.0]]), Gaussian(one.expand(3, 1), one.expand(3, 1)))
    never = torch.zeros(3, dtype=torch.bool)
    rollout.add_outcome(StepResult(obs={}, reward=torch.tensor([1.0, 2.0, 3.0]), terminated=never, truncated=never,
                                   final_obs=None))  # fmt: skip
    counts = {tag: count.item() for tag, count in count_non_finite(rollout).items()}
    assert counts == {"NonFinite/reward": 0.0, "NonFinite/actions": 1.0, "NonFinite/obs/policy": 3.0}
