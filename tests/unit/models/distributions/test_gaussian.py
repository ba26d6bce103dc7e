import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from fleetfoot.models.config import GaussianCfg, StateDependentGaussianCfg
from fleetfoot.models.distributions import Gaussian, GaussianHead, StateDependentGaussianHead


@pytest.fixture
def gaussian(generator):
    return random_gaussian(generator)


def random_gaussian(generator) -> Gaussian:
    return Gaussian(torch.randn(6, 3, generator=generator), torch.rand(6, 3, generator=generator) + 0.1)


def reference(gaussian: Gaussian) -> Independent:
    return Independent(Normal(gaussian.mean, gaussian.std), 1)


def test_log_probability_by_hand():
    gaussian = Gaussian(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.5]))
    # -(1/2)^2 ... z = (3 - 1) / 2 = 1 and (-1 - 0) / 0.5 = -2; the stds multiply to one
    by_hand = -0.5 * (1 + 4) - math.log(2 * 0.5) - math.log(2 * math.pi)
    assert gaussian.log_prob(torch.tensor([3.0, -1.0])).item() == pytest.approx(by_hand)


def test_entropy_by_hand():
    by_hand = 2 * 0.5 * math.log(2 * math.pi * math.e) + math.log(3.0)
    assert Gaussian(torch.zeros(2), torch.tensor([1.0, 3.0])).entropy().item() == pytest.approx(by_hand)


def test_divergence_by_hand():
    old, new = Gaussian(torch.zeros(1), torch.ones(1)), Gaussian(torch.ones(1), torch.full((1,), 2.0))
    assert old.kl(new).item() == pytest.approx(math.log(2) + (1 + 1) / 8 - 0.5)


def test_log_probability_is_that_of_torch(gaussian, generator):
    actions = torch.randn(6, 3, generator=generator)
    torch.testing.assert_close(gaussian.log_prob(actions), reference(gaussian).log_prob(actions))


def test_entropy_is_that_of_torch(gaussian):
    torch.testing.assert_close(gaussian.entropy(), reference(gaussian).entropy())


def test_divergence_is_that_of_torch(gaussian, generator):
    new = random_gaussian(generator)
    torch.testing.assert_close(gaussian.kl(new), kl_divergence(reference(gaussian), reference(new)))


def test_nothing_diverges_from_itself(gaussian):
    assert gaussian.kl(gaussian).abs().max() < 1e-6


def test_the_most_likely_action_is_the_mean(gaussian):
    assert torch.equal(gaussian.mode(), gaussian.mean)


def test_samples_are_mean_and_std_times_noise(gaussian):
    noise = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    sampled = gaussian.sample(torch.Generator().manual_seed(5))
    torch.testing.assert_close(sampled, gaussian.mean + gaussian.std * noise)


def test_samples_have_the_moments(generator):
    gaussian = Gaussian(torch.full((100_000, 1), 3.0), torch.full((100_000, 1), 0.5))
    sampled = gaussian.sample(generator)
    assert sampled.mean().item() == pytest.approx(3.0, abs=0.01)
    assert sampled.std().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("std_type", ["scalar", "log"])
def test_the_standard_deviation_starts_as_configured(std_type):
    head = GaussianHead(3, GaussianCfg(init_std=0.3, std_type=std_type))
    torch.testing.assert_close(head(torch.zeros(2, 3)).std, torch.full((2, 3), 0.3))


def test_the_parameter_is_the_std_or_its_logarithm():
    assert GaussianHead(1, GaussianCfg(init_std=2.0)).std_param.item() == 2.0
    logarithm = GaussianHead(1, GaussianCfg(init_std=2.0, std_type="log")).std_param.item()
    assert logarithm == pytest.approx(math.log(2.0))


def test_the_features_are_the_mean(generator):
    features = torch.randn(4, 5, 3, generator=generator)
    assert torch.equal(GaussianHead(3, GaussianCfg())(features).mean, features)


@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize(("param", "expected"), [(0.01, 0.2), (0.5, 0.5), (9.0, 2.0)])
def test_the_std_is_kept_within_its_bounds(std_type, param, expected):
    head = GaussianHead(1, GaussianCfg(std_type=std_type, std_range=(0.2, 2.0)))
    torch.nn.init.constant_(head.std_param, param if std_type == "scalar" else math.log(param))
    assert head(torch.zeros(1)).std.item() == pytest.approx(expected)


@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize(("param", "moves"), [(0.01, False), (0.5, True), (9.0, False)])
def test_beyond_its_bounds_the_std_has_no_gradient(std_type, param, moves):
    head = GaussianHead(1, GaussianCfg(std_type=std_type, std_range=(0.2, 2.0)))
    torch.nn.init.constant_(head.std_param, param if std_type == "scalar" else math.log(param))
    head(torch.zeros(1)).entropy().backward()
    # d log(std) / d std = 1 / std, and 1 where the parameter is the logarithm
    by_hand = (1 / param if std_type == "scalar" else 1.0) if moves else 0.0
    assert head.std_param.grad.item() == pytest.approx(by_hand)


def test_a_std_that_falls_below_zero_stays_positive():
    head = GaussianHead(1, GaussianCfg())
    torch.nn.init.constant_(head.std_param, -1.0)
    assert head(torch.zeros(1)).std.item() == pytest.approx(1e-6)


def test_a_std_that_is_not_learned_has_no_gradient():
    assert not GaussianHead(2, GaussianCfg(learn_std=False)).std_param.requires_grad


def test_a_mirrored_mean_turns_and_a_std_only_moves():
    gaussian = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0]))
    mirrored = gaussian.mirrored(lambda x: -x.flip(-1), lambda x: x.flip(-1))
    assert (mirrored.mean.tolist(), mirrored.std.tolist()) == ([2.0, -1.0], [4.0, 3.0])


@pytest.mark.parametrize("std_type", ["scalar", "log"])
def test_a_state_dependent_std_starts_as_configured_in_every_state(std_type, generator):
    head = StateDependentGaussianHead(3, StateDependentGaussianCfg(init_std=0.3, std_type=std_type))
    layer = torch.nn.Linear(5, head.in_dim)
    mean_weights = layer.weight[:3].clone()
    head.init_last_layer(layer)
    gaussian = head(layer(torch.randn(4, 5, generator=generator)))
    torch.testing.assert_close(gaussian.std, torch.full((4, 3), 0.3))
    assert torch.equal(layer.weight[:3], mean_weights)


def test_a_state_dependent_std_is_the_second_half_of_the_features():
    features = torch.tensor([[1.0, -2.0, 0.5, 0.25]])
    scalar = StateDependentGaussianHead(2, StateDependentGaussianCfg())(features)
    assert (scalar.mean.tolist(), scalar.std.tolist()) == ([[1.0, -2.0]], [[0.5, 0.25]])
    logarithm = StateDependentGaussianHead(2, StateDependentGaussianCfg(std_type="log"))(features)
    torch.testing.assert_close(logarithm.std, torch.tensor([[math.exp(0.5), math.exp(0.25)]]))


@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize(("raw", "expected"), [(0.01, 0.2), (0.5, 0.5), (9.0, 2.0)])
def test_a_state_dependent_std_is_kept_within_its_bounds(std_type, raw, expected):
    head = StateDependentGaussianHead(1, StateDependentGaussianCfg(std_type=std_type, std_range=(0.2, 2.0)))
    features = torch.tensor([0.0, raw if std_type == "scalar" else math.log(raw)])
    assert head(features).std.item() == pytest.approx(expected)
