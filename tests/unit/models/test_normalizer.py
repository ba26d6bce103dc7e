import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetfoot.models.normalizer import EmpiricalNormalizer


def fed(*batches: torch.Tensor) -> EmpiricalNormalizer:
    normalizer = EmpiricalNormalizer(batches[0].shape[-1])
    for batch in batches:
        normalizer.update(batch)
    return normalizer


def test_before_anything_was_seen_numbers_pass_almost_unchanged():
    x = torch.tensor([[1.01, -2.02]])
    torch.testing.assert_close(EmpiricalNormalizer(2)(x), torch.tensor([[1.0, -2.0]]))


def test_two_batches_by_hand():
    normalizer = fed(torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0], [6.0]]))
    # 0, 2, 4, 6: mean 3, biased variance (9 + 1 + 1 + 9) / 4 = 5
    assert normalizer.mean.item() == 3.0
    assert normalizer.var.item() == 5.0
    assert normalizer.count.item() == 4
    assert normalizer(torch.tensor([[5.0]])).item() == pytest.approx(2 / (5**0.5 + 0.01))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    offset=st.floats(-50, 50),
    scale=st.floats(0.01, 30),
)
def test_any_split_gives_the_moments_that_numpy_gives_for_all(seed, sizes, offset, scale):
    data = np.random.default_rng(seed).normal(offset, scale, (sum(sizes), 3)).astype(np.float32)
    parts = torch.from_numpy(data).split(sizes)
    normalizer = fed(*parts)
    np.testing.assert_allclose(normalizer.mean, data.mean(0, dtype=np.float64), atol=1e-4 * scale + 1e-6 * abs(offset))
    # The variance starts at one, in single precision: what is left of that is far below `eps` squared.
    np.testing.assert_allclose(normalizer.var, data.var(0, dtype=np.float64), atol=1e-3 * scale**2 + 1e-6)
    assert normalizer.count.item() == sum(sizes)


def test_the_order_of_the_batches_does_not_matter(generator):
    batches = [torch.randn(n, 4, generator=generator) * n + n for n in (3, 17, 1, 60)]
    one, other = fed(*batches), fed(*reversed(batches))
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.var, other.var)


def test_a_rollout_counts_every_step_of_every_environment(generator):
    rollout = torch.randn(5, 7, 2, generator=generator)
    assert fed(rollout).count.item() == 35
    torch.testing.assert_close(fed(rollout).mean, rollout.mean((0, 1)))


def test_a_feature_that_never_changes_is_not_blown_up():
    normalizer = fed(torch.full((100, 1), 3.0))
    assert normalizer(torch.tensor([[3.0]])).item() == 0.0
    assert normalizer(torch.tensor([[3.1]])).item() == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_looking_is_not_learning(training, generator):
    normalizer = fed(torch.randn(10, 2, generator=generator)).train(training)
    before = {name: value.clone() for name, value in normalizer.state_dict().items()}
    normalizer(torch.full((4, 2), 100.0))
    assert all(torch.equal(value, before[name]) for name, value in normalizer.state_dict().items())


def test_the_statistics_are_saved_and_are_no_parameters(generator):
    normalizer = fed(torch.randn(10, 2, generator=generator))
    assert set(normalizer.state_dict()) == {"mean", "var", "count"}
    assert not list(normalizer.parameters())
