import pytest
import torch

from fleetfoot.algorithms.losses import clip_fraction, surrogate_loss, value_loss


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
