import math

import pytest
import torch
from torch import distributions as td

from fleetfoot.models.config import BetaCfg
from fleetfoot.models.distributions import Beta, BetaHead

LOW, HIGH = -2.0, 6.0
SCALE = HIGH - LOW


def make(alpha, beta, low: float = LOW, high: float = HIGH) -> Beta:
    alpha, beta = torch.as_tensor(alpha), torch.as_tensor(beta)
    center, radius = torch.full_like(alpha, (low + high) / 2), torch.full_like(alpha, (high - low) / 2)
    return Beta(alpha, beta, center, radius)


def random_beta(generator) -> Beta:
    return make(*(1.01 + 10 * torch.rand(2, 6, 3, generator=generator, dtype=torch.float64)))


def reference(beta: Beta) -> td.Independent:
    return td.Independent(td.Beta(beta.alpha, beta.beta), 1)


def test_by_hand():
    # Beta(2, 2) on [0, 1] has the density 6 x (1 - x), and here the range is four times as wide.
    beta = make([2.0], [2.0], -1.0, 3.0)
    assert beta.log_prob(torch.tensor([0.0])).exp().item() == pytest.approx(6 * 0.25 * 0.75 / 4)
    assert beta.mean.item() == pytest.approx(1.0)
    assert beta.std.item() == pytest.approx(4 * math.sqrt(1 / 20))  # its variance is a b / (a + b)^2 / (a + b + 1)


def test_the_entropy_knows_the_width_of_the_range():
    # All but uniform: the logarithm of the width.
    assert make([1.0], [1.0]).entropy().item() == pytest.approx(math.log(SCALE))


def test_a_divergence_by_hand():
    # KL(U || Beta(2, 1)), densities 1 and 2 x: -log 2 - E[log x] = 1 - log 2
    assert make([1.0], [1.0]).kl(make([2.0], [1.0])).item() == pytest.approx(1 - math.log(2))


def test_values_are_those_of_torch(generator):
    beta, new = random_beta(generator), random_beta(generator)
    actions = beta.sample(generator)
    unit = (actions - LOW) / SCALE
    by_torch = reference(beta).log_prob(unit) - 3 * math.log(SCALE)
    torch.testing.assert_close(beta.log_prob(actions), by_torch)
    torch.testing.assert_close(beta.entropy(), reference(beta).entropy() + 3 * math.log(SCALE))
    torch.testing.assert_close(beta.kl(new), td.kl_divergence(reference(beta), reference(new)))
    torch.testing.assert_close(beta.mean, LOW + SCALE * reference(beta).mean)
    torch.testing.assert_close(beta.std, SCALE * reference(beta).stddev)


def test_gradients_are_those_of_torch(generator):
    old, new = random_beta(generator), random_beta(generator)
    parameters = [x.requires_grad_() for x in (new.alpha, new.beta)]
    actions = old.sample(generator)
    unit = (actions - LOW) / SCALE
    for ours, theirs in (
        (new.log_prob(actions), reference(new).log_prob(unit)),
        (new.entropy(), reference(new).entropy()),
        (old.kl(new), td.kl_divergence(reference(old), reference(new))),
    ):
        own, other = torch.autograd.grad(ours.sum(), parameters), torch.autograd.grad(theirs.sum(), parameters)
        torch.testing.assert_close(own, other)


def test_samples_stay_within_the_range(generator):
    beta = make(torch.full((100_000,), 1.001), torch.full((100_000,), 1.001), -1.0, 1.0)
    samples = beta.sample(generator)
    assert samples.abs().max() <= 1.0
    assert samples.min() < -0.999
    assert samples.max() > 0.999


def test_samples_are_distributed_so(generator):
    # Beta(1, 3): P(x < q) = 1 - (1 - q)^3
    samples = (make(torch.full((100_000,), 1.0), torch.full((100_000,), 3.0)).sample(generator) - LOW) / SCALE
    for q in (0.05, 0.2, 0.5, 0.8):
        assert (samples < q).double().mean().item() == pytest.approx(1 - (1 - q) ** 3, abs=0.006)


@pytest.mark.parametrize("bound", [LOW, HIGH])
def test_at_a_bound_the_density_is_small_and_not_nothing(bound):
    alpha = torch.tensor([3.0], requires_grad=True)
    log_prob = make(alpha, [3.0]).log_prob(torch.tensor([bound]))
    log_prob.sum().backward()
    # 1 / B(3, 3) = 30, and the nearest that counts is a millionth of the range away
    assert log_prob.item() == pytest.approx(math.log(30 * 1e-12 / SCALE), rel=1e-3)
    assert alpha.grad.isfinite().all()


def test_near_a_bound_single_precision_is_enough(generator):
    share = torch.logspace(-5, -1, 50)[:, None]
    for actions in (share * 2 - 1, 1 - share * 2):  # of a range of [-1, 1]
        single = make(torch.full_like(share, 4.0), torch.full_like(share, 2.0), -1.0, 1.0)
        exact = Beta(*(x.double() for x in single)).log_prob(actions.double())
        torch.testing.assert_close(single.log_prob(actions).double(), exact, rtol=1e-6, atol=2e-6)


def test_in_the_mirror_up_is_down():
    beta = make([2.0, 3.0, 4.0], [5.0, 6.0, 7.0], -1.0, 1.0)
    turned = torch.tensor([-1.0, 1.0, -1.0])
    mirrored = beta.mirrored(lambda x: turned * x.flip(-1), lambda x: x.flip(-1))
    assert mirrored.alpha.tolist() == [7.0, 3.0, 5.0]
    assert mirrored.beta.tolist() == [4.0, 6.0, 2.0]


def test_the_range_is_mirrored_with_it():
    mirrored = make([2.0], [5.0], 1.0, 4.0).mirrored(lambda x: -x, lambda x: x)
    assert (mirrored.center.item(), mirrored.radius.item()) == (-2.5, 1.5)


def test_the_features_are_alpha_and_beta():
    head = BetaHead(2, BetaCfg(action_range=(LOW, HIGH)))
    beta = head(torch.tensor([[0.0, 3.0, -50.0, 1.0]]))
    softplus = [[math.log(1 + math.exp(x)) for x in half] for half in ((0.0, 3.0), (-50.0, 1.0))]
    torch.testing.assert_close(beta.alpha, 1 + torch.tensor(softplus[:1]))
    torch.testing.assert_close(beta.beta, 1 + torch.tensor(softplus[1:]))
    assert (beta.center.tolist(), beta.radius.tolist()) == ([[2.0, 2.0]], [[4.0, 4.0]])


def test_at_the_start_beta_is_the_same_in_every_state(generator):
    head = BetaHead(3, BetaCfg())
    layer = torch.nn.Linear(5, head.in_dim)
    alpha_weights = layer.weight[:3].clone()
    head.init_last_layer(layer)
    beta = head(layer(torch.randn(4, 5, generator=generator)))
    torch.testing.assert_close(beta.beta, torch.full((4, 3), 1 + math.log(2)))
    assert torch.equal(layer.weight[:3], alpha_weights)


def test_the_range_is_no_state():
    assert not BetaHead(2, BetaCfg()).state_dict()
