import pytest
import torch

from fleetfoot.algorithms.config import HuberLossCfg, KlLossCfg, MseLossCfg
from fleetfoot.algorithms.losses import (
    clip_fraction,
    huber_loss,
    imitation_loss,
    kl_loss,
    mse_loss,
    surrogate_loss,
    value_loss,
)
from fleetfoot.models.distributions import Gaussian


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.1, 2.0, -2.2, -2.0),  # within: -A ratio
        (1.5, 2.0, -2.4, 0.0),  # good action, already likelier: clipped to -A 1.2, nothing more to gain
        (0.5, 2.0, -1.0, -2.0),  # good action, less likely: full gradient back
        (1.5, -2.0, 3.0, 2.0),  # bad action, likelier: full gradient back
        (0.5, -2.0, 1.6, 0.0),  # bad action, already less likely: clipped to -A 0.8
    ],
)
def test_surrogate_and_its_slope_by_hand(ratio, advantage, loss, slope):
    x = torch.tensor([ratio], requires_grad=True)
    result = surrogate_loss(x, torch.tensor([advantage]), 0.2)
    result.backward()
    assert result.item() == pytest.approx(loss)
    assert x.grad.item() == pytest.approx(slope)


def test_surrogate_is_the_mean_over_samples():
    ratio, advantages = torch.tensor([1.0, 1.5, 0.5]), torch.tensor([1.0, 2.0, -2.0])
    assert surrogate_loss(ratio, advantages, 0.2).item() == pytest.approx((-1.0 - 2.4 + 1.6) / 3)


@pytest.mark.parametrize(
    ("value", "target", "old", "loss", "slope"),
    [
        (1.1, 2.0, 1.0, 0.81, -1.8),  # moved by 0.1, within 0.2: (1.1 - 2)^2
        (1.5, 2.0, 1.0, 0.64, 0.0),  # moved towards the target by more: held at (1.2 - 2)^2
        (0.5, 2.0, 1.0, 2.25, -3.0),  # moved away from it by more: (0.5 - 2)^2 is worse than (0.8 - 2)^2
        (3.5, 2.0, 1.0, 2.25, 3.0),  # beyond the target: (3.5 - 2)^2 is worse than (1.2 - 2)^2
    ],
)
def test_clipped_value_loss_and_its_slope_by_hand(value, target, old, loss, slope):
    x = torch.tensor([value], requires_grad=True)
    result = value_loss(x, torch.tensor([target]), torch.tensor([old]), 0.2)
    result.backward()
    assert result.item() == pytest.approx(loss)
    assert x.grad.item() == pytest.approx(slope, abs=1e-6)


def test_plain_value_loss_by_hand():
    values, returns = torch.tensor([1.5, 0.0]), torch.tensor([2.0, 3.0])
    assert value_loss(values, returns, torch.zeros(2), None).item() == pytest.approx((0.25 + 9.0) / 2)


def test_value_loss_is_the_mean_over_samples():
    values, returns, old = torch.tensor([1.5, 1.1]), torch.full((2,), 2.0), torch.ones(2)
    assert value_loss(values, returns, old, 0.2).item() == pytest.approx((0.64 + 0.81) / 2)


def test_clip_fraction_counts_what_is_outside_on_either_side():
    ratio = torch.tensor([0.79, 0.81, 1.0, 1.19, 1.21])
    assert clip_fraction(ratio, 0.2).item() == pytest.approx(2 / 5)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_the_shape_of_the_samples_does_not_matter(shape, generator):
    ratio, advantages, old = (torch.rand(6, generator=generator) for _ in range(3))
    assert surrogate_loss(ratio.view(shape), advantages.view(shape), 0.2) == surrogate_loss(ratio, advantages, 0.2)
    reshaped = value_loss(ratio.view(shape), advantages.view(shape), old.view(shape), 0.2)
    torch.testing.assert_close(reshaped, value_loss(ratio, advantages, old, 0.2))


# --- imitation: two steps of one environment with two actions, and of two environments with one

ACTIONS = {
    "two actions": (torch.tensor([[[1.0, 0.0]], [[3.0, 2.0]]]), torch.tensor([[[0.5, 0.0]], [[0.0, 4.0]]])),
    "two environments": (
        torch.tensor([[[1.0], [0.0]], [[3.0], [2.0]]]),
        torch.tensor([[[0.5], [0.0]], [[0.0], [4.0]]]),
    ),
}


@pytest.mark.parametrize("shape", ACTIONS)
def test_squared_errors_are_a_mean_over_environments_and_actions_for_each_step(shape):
    # differences 0.5 and 0, then 3 and -2
    assert mse_loss(*ACTIONS[shape]).tolist() == [0.125, 6.5]


@pytest.mark.parametrize("shape", ACTIONS)
@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (1.0, [0.0625, 2.0]),  # 0.25 / 2 and 0; 1 (3 - 0.5) and 1 (2 - 0.5)
        (2.0, [0.0625, 3.0]),  # 2 (3 - 1), and at the very edge 2^2 / 2 = 2 (2 - 1)
        (10.0, [0.0625, 3.25]),  # half of the squares
    ],
)
def test_huber_by_hand(shape, delta, expected):
    assert huber_loss(*ACTIONS[shape], delta).tolist() == expected


def test_the_slope_of_huber_is_held_at_delta():
    actions = torch.tensor([[[0.3, 5.0, -7.0]]], requires_grad=True)
    huber_loss(actions, torch.zeros(1, 1, 3), 0.5).sum().backward()
    torch.testing.assert_close(actions.grad, torch.tensor([[[0.3, 0.5, -0.5]]]) / 3)


def test_the_divergence_is_that_of_the_student_from_the_teacher():
    student = Gaussian(torch.tensor([[[1.0]], [[0.0]]]), torch.tensor([[[2.0]], [[1.0]]]))
    teacher = Gaussian(torch.tensor([[[0.0]], [[0.0]]]), torch.tensor([[[1.0]], [[1.0]]]))
    # log(2 / 1) + (1 + 1) / 8 - 1/2; the other way round it would be -log 2 + (4 + 1) / 2 - 1/2
    torch.testing.assert_close(kl_loss(student, teacher), torch.tensor([0.6931472 + 0.25 - 0.5, 0.0]))


def test_the_divergence_is_summed_over_actions_and_a_mean_over_environments():
    teacher = Gaussian(torch.zeros(1, 3, 2), torch.ones(1, 3, 2))
    student = Gaussian(torch.tensor([[[1.0, 2.0], [0.0, 0.0], [1.0, 0.0]]]), torch.ones(1, 3, 2))
    torch.testing.assert_close(kl_loss(student, teacher), torch.tensor([(0.5 + 2.0 + 0.0 + 0.5) / 3]))


def test_each_choice_is_its_function():
    student = Gaussian(torch.tensor([[[2.0]]]), torch.tensor([[[1.0]]]))
    teacher = Gaussian(torch.tensor([[[0.0]]]), torch.tensor([[[2.0]]]))
    said = {cfg.kind: imitation_loss(cfg, student, teacher).item() for cfg in (MseLossCfg(), HuberLossCfg(delta=0.5))}
    assert said == {"mse": 4.0, "huber": 0.5 * (2.0 - 0.25)}
    assert imitation_loss(KlLossCfg(), student, teacher).item() == pytest.approx(-0.6931472 + (4 + 4) / 2 - 0.5)
