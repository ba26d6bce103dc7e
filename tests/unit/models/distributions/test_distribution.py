"""What holds for every distribution: each test is run on all of them."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetfoot.models.distributions import Beta, Gaussian, SquashedGaussian

KINDS = (Gaussian, Beta, SquashedGaussian)
INDEX, SIGN = torch.tensor([2, 1, 0]), torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)

number, positive, above_one = st.floats(-3, 3), st.floats(0.05, 2), st.floats(1.01, 30)
PARAMETERS = {
    Gaussian: (number, positive),
    Beta: (above_one, above_one, number, positive),
    SquashedGaussian: (number, st.floats(0.05, 0.7), number, positive),  # wider ones see tests of their own
}


def drawn(kind, num_actions: int = 1) -> st.SearchStrategy:
    """Distributions over some actions, in double precision."""
    rows = [st.lists(values, min_size=num_actions, max_size=num_actions) for values in PARAMETERS[kind]]
    return st.tuples(*rows).map(lambda parameters: kind(*torch.tensor(parameters, dtype=torch.float64)))


def pairs(kind) -> st.SearchStrategy:
    """Two distributions over the same range."""
    return st.tuples(drawn(kind), drawn(kind)).map(lambda two: (two[0], two[1]._replace(**of_the_range(two[0]))))


def of_the_range(distribution) -> dict[str, torch.Tensor]:
    return {name: x for name, x in distribution._asdict().items() if name in ("center", "radius")}


def signed(x: torch.Tensor) -> torch.Tensor:
    return SIGN.to(x.dtype) * x[..., INDEX]


def unsigned(x: torch.Tensor) -> torch.Tensor:
    return x[..., INDEX]


def grid(distribution) -> tuple[torch.Tensor, torch.Tensor]:
    """Actions `[K, 1]` that cover the range of one action, and the length `[K]` that each stands for."""
    if isinstance(distribution, Gaussian):
        z = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None]
        return distribution.mean + distribution.std * z, 18 / 20_000 * distribution.std.expand(len(z))
    # Close together towards the bounds, at which there is hardly any.
    u = torch.linspace(-6.9, 6.9, 20_001, dtype=torch.float64)[:, None]
    length = distribution.radius * (1 - u.tanh().square()) * 13.8 / 20_000
    return distribution.center + distribution.radius * u.tanh(), length[:, 0]


def expectation(distribution, values) -> float:
    """The mean of a function of one action, by summing over a grid."""
    actions, length = grid(distribution)
    return (distribution.log_prob(actions).exp() * length * values(actions)).sum().item()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def some(kind, generator):
    """One distribution, `[5, 3]`."""

    def draw(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(5, 3, generator=generator)

    spans = {
        Gaussian: ((-1, 1), (0.1, 1)),
        Beta: ((1.1, 9), (1.1, 9), (-1, 1), (0.5, 2)),
        SquashedGaussian: ((-1, 1), (0.1, 1), (-1, 1), (0.5, 2)),
    }
    return kind(*itertools.starmap(draw, spans[kind]))


def test_the_density_integrates_to_one(kind):
    @settings(max_examples=50, deadline=None)
    @given(drawn(kind))
    def check(distribution):
        assert expectation(distribution, lambda _: 1.0) == pytest.approx(1.0, abs=1e-4)

    check()


def test_mean_and_std_are_those_of_the_density(kind):
    @settings(max_examples=50, deadline=None)
    @given(drawn(kind))
    def check(distribution):
        mean = expectation(distribution, lambda x: x[:, 0])
        variance = expectation(distribution, lambda x: (x[:, 0] - mean).square())
        assert distribution.mean.item() == pytest.approx(mean, abs=1e-4)
        assert distribution.std.item() == pytest.approx(variance**0.5, rel=1e-3)

    check()


def test_the_entropy_is_that_of_the_density(kind):
    @settings(max_examples=50, deadline=None)
    @given(drawn(kind))
    def check(distribution):
        surprise = expectation(distribution, lambda x: -distribution.log_prob(x))
        assert distribution.entropy().item() == pytest.approx(surprise, abs=5e-4)

    check()


def test_the_divergence_is_that_of_the_densities(kind):
    @settings(max_examples=50, deadline=None)
    @given(pairs(kind))
    def check(two):
        old, new = two
        by_grid = expectation(old, lambda x: old.log_prob(x) - new.log_prob(x))
        assert old.kl(new).item() == pytest.approx(by_grid, rel=1e-3, abs=1e-4)

    check()


def test_nothing_diverges_from_itself_and_all_else_does(kind):
    @settings(max_examples=100, deadline=None)
    @given(pairs(kind))
    def check(two):
        old, new = two
        assert abs(old.kl(old).item()) < 1e-12
        assert old.kl(new).item() >= -1e-12

    check()


def test_mirrored_twice_is_as_before(kind):
    @settings(max_examples=50, deadline=None)
    @given(drawn(kind, num_actions=3))
    def check(distribution):
        twice = distribution.mirrored(signed, unsigned).mirrored(signed, unsigned)
        assert all(map(torch.equal, twice, distribution))

    check()


def test_a_mirrored_action_is_as_likely_in_the_mirror(some, generator):
    actions, mirrored = some.sample(generator), some.mirrored(signed, unsigned)
    torch.testing.assert_close(mirrored.log_prob(signed(actions)), some.log_prob(actions))
    torch.testing.assert_close(mirrored.entropy(), some.entropy())
    torch.testing.assert_close(mirrored.mode(), signed(some.mode()))
    torch.testing.assert_close(mirrored.mean, signed(some.mean))
    torch.testing.assert_close(mirrored.std, unsigned(some.std))


def test_each_sample_may_have_a_mirror_of_its_own(some):
    """As in a mini-batch of which only some samples are mirrored."""
    is_mirrored = torch.tensor([True, False, True, False, False])[:, None]
    mixed = some.mirrored(
        lambda x: torch.where(is_mirrored, signed(x), x), lambda x: torch.where(is_mirrored, unsigned(x), x)
    )
    whole = some.mirrored(signed, unsigned)
    for x, mirrored, original in zip(mixed, whole, some, strict=True):
        assert torch.equal(x, torch.where(is_mirrored, mirrored, original))


def test_sums_go_over_actions_and_shapes_are_kept(some, generator):
    actions = some.sample(generator)
    assert actions.shape == some.mode().shape == some.mean.shape == some.std.shape == (5, 3)
    one = [type(some)(*(x[:, i : i + 1] for x in some)) for i in range(3)]
    torch.testing.assert_close(some.entropy(), sum(d.entropy() for d in one))
    torch.testing.assert_close(some.kl(some.mirrored(unsigned, unsigned)).shape, torch.Size([5]))
    by_action = [d.log_prob(actions[:, i : i + 1]) for i, d in enumerate(one)]
    torch.testing.assert_close(some.log_prob(actions), sum(by_action))


def test_it_is_rebuilt_from_its_parameters(some):
    """As storage does to write, flatten and select."""
    assert all(x.shape == (5, 3) for x in some)
    first = type(some)(*(x[:1] for x in some))
    torch.testing.assert_close(first.entropy(), some.entropy()[:1])


def test_a_seed_decides_the_samples(some):
    first, again, other = (some.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_lean_on_nothing_but_their_generator(some, generator):
    before = torch.get_rng_state()
    some.sample(generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_have_mean_and_std(some, generator):
    many = type(some)(*(x[:1].expand(100_000, 3) for x in some))
    samples = many.sample(generator)
    torch.testing.assert_close(samples.mean(0), some.mean[0], atol=0.02, rtol=0.0)
    torch.testing.assert_close(samples.std(0), some.std[0], atol=0.02, rtol=0.02)


def test_what_is_not_a_number_is_not_an_action(some, generator):
    """A network that has become NaN must be found, and not act."""
    for i in range(2):
        parameters = list(some)
        parameters[i] = torch.full_like(parameters[i], torch.nan)
        assert type(some)(*parameters).sample(generator).isnan().all()
        assert type(some)(*parameters).log_prob(some.mode()).isnan().all()


def test_gradients_are_those_of_finite_differences(kind, generator):
    span = {Gaussian: (0.0, 0.0), Beta: (1.0, 1.0), SquashedGaussian: (0.0, 0.0)}[kind]
    parameters = [start + 0.3 + torch.rand(4, 2, generator=generator, dtype=torch.float64) for start in span]
    fixed = () if kind is Gaussian else (torch.zeros_like(parameters[0]), torch.ones_like(parameters[0]))
    old = kind(*(x.detach() + 0.1 for x in parameters), *fixed)
    actions = old.sample(torch.Generator().manual_seed(0))

    def numbers(*values):
        d = kind(*values, *fixed)
        return d.log_prob(actions), d.entropy(), old.kl(d), d.mean, d.std

    assert torch.autograd.gradcheck(numbers, [x.requires_grad_() for x in parameters])
