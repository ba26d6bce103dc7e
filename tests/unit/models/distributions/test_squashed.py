import math

import pytest
import torch
from torch import distributions as td

from fleetfoot.models.config import SquashedGaussianCfg
from fleetfoot.models.distributions import SquashedGaussian, SquashedGaussianHead

LOW, HIGH = -2.0, 6.0


def make(mean, std, low: float = LOW, high: float = HIGH) -> SquashedGaussian:
    mean, std = torch.as_tensor(mean), torch.as_tensor(std)
    center, radius = torch.full_like(mean, (low + high) / 2), torch.full_like(mean, (high - low) / 2)
    return SquashedGaussian(mean, std, center, radius)


def random_squashed(generator) -> SquashedGaussian:
    mean = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    return make(mean, torch.rand(6, 3, generator=generator, dtype=torch.float64) + 0.1)


def reference(squashed: SquashedGaussian) -> td.Distribution:
    center, radius = squashed.center, squashed.radius
    gaussian = td.Normal(squashed.latent_mean, squashed.latent_std)
    return td.TransformedDistribution(
        td.Independent(gaussian, 1), [td.TanhTransform(), td.AffineTransform(center, radius, event_dim=1)]
    )


def fine(squashed: SquashedGaussian, values) -> torch.Tensor:
    """`E[values(u)]` by a very fine grid, in double precision."""
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    weights = torch.softmax(-0.5 * z.square(), 0)
    u = squashed.latent_mean.double()[..., None] + squashed.latent_std.double()[..., None] * z
    return (weights * values(u)).sum(-1)


def log_slope(u: torch.Tensor) -> torch.Tensor:
    return 2 * (math.log(2) - u - torch.nn.functional.softplus(-2 * u))


def test_by_hand():
    # At tanh(u) = 0.6: u = log(2), the slope is 1 - 0.36, and half of the range's width is 4.
    squashed = make([0.0], [1.0])
    by_hand = math.exp(-0.5 * math.log(2) ** 2) / math.sqrt(2 * math.pi) / 0.64 / 4
    assert squashed.log_prob(torch.tensor([2.0 + 4 * 0.6])).exp().item() == pytest.approx(by_hand)
    assert squashed.mode().item() == squashed.mean.item() == pytest.approx(2.0)


def test_what_is_squashed_little_has_the_moments_of_its_gaussian():
    squashed = make([0.0], [0.01])
    assert squashed.std.item() == pytest.approx(4 * 0.01, rel=1e-3)
    assert squashed.entropy().item() == pytest.approx(math.log(0.04 * math.sqrt(2 * math.pi * math.e)), abs=1e-3)


def test_densities_and_their_gradients_are_those_of_torch(generator):
    old, new = random_squashed(generator), random_squashed(generator)
    actions = old.sample(generator)
    parameters = [x.requires_grad_() for x in (new.latent_mean, new.latent_std)]
    ours, theirs = new.log_prob(actions), reference(new).log_prob(actions)
    torch.testing.assert_close(ours, theirs)
    own, other = torch.autograd.grad(ours.sum(), parameters), torch.autograd.grad(theirs.sum(), parameters)
    torch.testing.assert_close(own, other)


def test_the_divergence_is_that_before_tanh(generator):
    old, new = random_squashed(generator), random_squashed(generator)
    gaussians = [td.Independent(td.Normal(d.latent_mean, d.latent_std), 1) for d in (old, new)]
    torch.testing.assert_close(old.kl(new), td.kl_divergence(*gaussians))


@pytest.mark.parametrize(("std", "tolerance"), [(0.01, 2e-6), (0.5, 2e-6), (1.0, 2e-6), (2.0, 1e-4), (3.0, 2e-3)])
def test_the_entropy_is_as_exact_as_it_says(std, tolerance):
    mean = torch.linspace(-4, 4, 33, dtype=torch.float64)[:, None]
    squashed = make(mean, torch.full_like(mean, std), -1.0, 1.0)
    exact = math.log(std * math.sqrt(2 * math.pi * math.e)) + fine(squashed, log_slope)[:, 0]
    assert (squashed.entropy() - exact).abs().max() < tolerance


@pytest.mark.parametrize(("std", "tolerance"), [(0.01, 2e-6), (1.0, 2e-5), (2.0, 5e-4), (3.0, 5e-3)])
def test_the_gradient_of_the_entropy_is_nearly_as_exact(std, tolerance):
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    mean = torch.linspace(-4, 4, 33, dtype=torch.float64)[:, None].requires_grad_()
    stds = torch.full_like(mean, std).requires_grad_()
    squashed = make(mean, stds, -1.0, 1.0)
    by_mean, by_std = torch.autograd.grad(squashed.entropy().sum(), (mean, stds))
    with torch.no_grad():  # d E[f(m + s z)] / d m = E[f'], and / d s = E[z f'], with f' = -2 tanh
        exact = fine(squashed, lambda u: -2 * u.tanh()), 1 / std + fine(squashed, lambda u: -2 * u.tanh() * z)
    assert (by_mean - exact[0]).abs().max() < tolerance
    assert (by_std - exact[1]).abs().max() < tolerance


def test_of_all_widths_one_is_nearest_to_even():
    """So an entropy bonus does not drive the standard deviation on and on, as it does a Gaussian's."""
    std = torch.linspace(0.5, 1.5, 101)[:, None]
    entropy = make(torch.zeros_like(std), std, -1.0, 1.0).entropy()
    assert std[entropy.argmax()].item() == pytest.approx(0.87, abs=0.02)
    assert math.log(2) - 0.02 < entropy.max().item() < math.log(2)  # that of a uniform distribution


def test_samples_are_squashed_normal_numbers():
    squashed = make(torch.full((5, 2), 0.3), torch.full((5, 2), 0.7))
    noise = torch.randn(5, 2, generator=torch.Generator().manual_seed(5))
    sampled = squashed.sample(torch.Generator().manual_seed(5))
    torch.testing.assert_close(sampled, 2 + 4 * torch.tanh(0.3 + 0.7 * noise))


def test_samples_stay_within_the_range(generator):
    samples = make(torch.full((10_000, 1), 3.0), torch.full((10_000, 1), 3.0)).sample(generator)
    assert samples.min() >= LOW
    assert samples.max() == HIGH  # in single precision tanh does reach it


def test_the_action_without_exploration_is_the_median(generator):
    squashed = make(torch.full((100_000, 1), 0.8), torch.full((100_000, 1), 1.5))
    share = (squashed.sample(generator) < squashed.mode()).double().mean().item()
    assert share == pytest.approx(0.5, abs=0.006)


def test_near_saturation_single_precision_is_enough():
    """The density of an action, rounded as it is, is exact; and it is nearly that of what was drawn."""
    u = torch.linspace(-6.8, 6.8, 501)[:, None]
    single = make(torch.full_like(u, 1.0), torch.full_like(u, 2.0), -1.0, 1.0)
    actions = u.tanh()
    double = SquashedGaussian(*(x.double() for x in single))
    exact = double.log_prob(actions.double())
    torch.testing.assert_close(single.log_prob(actions).double(), exact, rtol=1e-6, atol=3e-6)
    of_drawn = double.log_prob(u.double().tanh())
    assert (exact - of_drawn).abs().max() < 0.05


def test_at_the_bound_the_density_is_all_that_lies_beyond():
    # 2^-19 of half of the range is the edge, where u > atanh(1 - 2^-19) = 10 log 2: half of all if that is the mean.
    squashed = make([10 * math.log(2)], [1.0])
    for action in (HIGH, HIGH - 1e-6):
        density = squashed.log_prob(torch.tensor([action])).exp().item()
        assert density == pytest.approx(0.5 / (4 * 2**-19), rel=1e-5)


@pytest.mark.parametrize("mean", [0.0, 3.0, 7.0])
@pytest.mark.parametrize("std", [1.0, 3.0])
def test_also_what_saturates_has_a_density_that_integrates_to_one(mean, std):
    u = torch.linspace(-10 * math.log(2), 10 * math.log(2), 20_001, dtype=torch.float64)
    t = ((u[1:] + u[:-1]) / 2).tanh()[:, None]
    parameters = torch.tensor([[mean], [std]], dtype=torch.float64)
    inner = make(*parameters, -1.0, 1.0).log_prob(t).exp() * (1 - t[:, 0].square()) * (u[1] - u[0])
    edges = make(*parameters, -1.0, 1.0).log_prob(torch.tensor([[-1.0], [1.0]], dtype=torch.float64)).exp() * 2**-19
    assert (inner.sum() + edges.sum()).item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("action", [LOW, HIGH, LOW + 1e-5, 2.0])
@pytest.mark.parametrize("mean", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("std", [1e-6, 1.0, 100.0])
def test_densities_and_gradients_are_finite_everywhere(action, mean, std):
    parameters = torch.tensor([[mean], [std]], requires_grad=True)
    log_prob = make(*parameters).log_prob(torch.tensor([action]))
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert parameters.grad.isfinite().all()


@pytest.mark.parametrize("mean", [0.0, 5.0, 7.0, 8.5])
def test_saturated_samples_neither_push_nor_pull(mean, generator):
    """The mean of the score is zero, and that of the ratio to another policy is one, also where tanh saturates."""
    n = 200_000
    parameters = torch.tensor([mean, 1.0]).requires_grad_()
    old = make(*parameters[:, None].expand(2, n).unsqueeze(-1), -1.0, 1.0)
    actions = old.sample(generator).detach()
    log_prob = old.log_prob(actions)
    score = torch.autograd.grad(log_prob.mean(), parameters)[0]
    torch.testing.assert_close(score, torch.zeros(2), atol=0.012, rtol=0.0)  # five standard errors
    new = make(*(torch.full((n, 1), x) for x in (mean + 0.3, 0.9)), -1.0, 1.0)
    ratio = (new.log_prob(actions) - log_prob).exp().mean().item()
    assert ratio == pytest.approx(1.0, abs=0.01)


def test_in_the_mirror_the_mean_turns():
    mirrored = make([1.0, -2.0], [3.0, 4.0], 1.0, 4.0).mirrored(lambda x: -x.flip(-1), lambda x: x.flip(-1))
    numbers = [x.tolist() for x in mirrored]
    assert numbers == [[2.0, -1.0], [4.0, 3.0], [-2.5, -2.5], [1.5, 1.5]]


@pytest.mark.parametrize("std_type", ["scalar", "log"])
def test_the_head_adds_its_std_and_its_range(std_type):
    head = SquashedGaussianHead(3, SquashedGaussianCfg(init_std=0.3, std_type=std_type, action_range=(LOW, HIGH)))
    features = torch.tensor([[0.0, 1.0, -1.0]]).expand(2, 3)
    mean, std, center, radius = head(features)
    assert torch.equal(mean, features)
    torch.testing.assert_close(std, torch.full((2, 3), 0.3))
    assert torch.equal(center, torch.full((2, 3), 2.0))
    assert torch.equal(radius, torch.full((2, 3), 4.0))


def test_the_std_is_kept_within_its_bounds():
    head = SquashedGaussianHead(1, SquashedGaussianCfg(init_std=5.0))
    assert head(torch.zeros(1)).latent_std.item() == 3.0


def test_only_the_std_is_state():
    head = SquashedGaussianHead(2, SquashedGaussianCfg(learn_std=False))
    assert list(head.state_dict()) == ["std_param"]
    assert not head.std_param.requires_grad
