import pytest
import torch
from torch import nn

from fleetfoot.models.value_scale import ValueScale


@pytest.fixture
def layer(generator):
    layer = nn.Linear(3, 1)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -1, 1, generator=generator)
    return layer


def test_before_anything_is_seen_values_are_what_the_network_says(layer):
    scale = ValueScale(layer, eps=0.0)
    x = torch.tensor([-2.0, 5.0])
    assert torch.equal(scale.restore(x), x)
    assert torch.equal(scale(x), x)


def test_units_are_the_moments_of_the_returns(layer):
    scale = ValueScale(layer, eps=0.0)
    scale.update(torch.tensor([[10.0, 14.0], [10.0, 14.0]]))  # mean 12, standard deviation 2
    torch.testing.assert_close(scale(torch.tensor([12.0, 16.0])), torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(scale.restore(torch.tensor([0.0, 2.0])), torch.tensor([12.0, 16.0]))


def test_no_value_changes_with_the_units(layer, generator):
    scale, x = ValueScale(layer), torch.randn(5, 3, generator=generator)
    before = scale.restore(layer(x))
    for mean in (100.0, -3.0):
        scale.update(mean + 20 * torch.randn(4, 6, generator=generator))
        torch.testing.assert_close(scale.restore(layer(x)), before, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(layer(x), before)


def test_returns_that_are_all_the_same_are_not_blown_up(layer):
    scale = ValueScale(layer)
    scale.update(torch.full((4, 6), 7.0))
    torch.testing.assert_close(scale(torch.tensor([7.0, 7.01])), torch.tensor([0.0, 1.0]), rtol=1e-4, atol=1e-4)


def test_its_state_is_that_of_the_moments_alone(layer):
    assert set(ValueScale(layer).state_dict()) == {"moments.mean", "moments.var", "moments.count"}
    assert not list(ValueScale(layer).parameters())
