"""What holds for every head."""

import warnings

import pytest
import torch
from torch import nn

from fleetfoot.models.config import BetaCfg, GaussianCfg, SquashedGaussianCfg, StateDependentGaussianCfg
from fleetfoot.models.distributions import BetaHead, GaussianHead, SquashedGaussianHead, StateDependentGaussianHead

A = 3
HEADS = {
    "gaussian": lambda: GaussianHead(A, GaussianCfg()),
    "state_dependent_gaussian": lambda: StateDependentGaussianHead(A, StateDependentGaussianCfg()),
    "beta": lambda: BetaHead(A, BetaCfg(action_range=(-2.0, 3.0))),
    "squashed_gaussian": lambda: SquashedGaussianHead(A, SquashedGaussianCfg(action_range=(-2.0, 3.0))),
}


class Deterministic(nn.Module):
    """What an exporter makes of a head."""

    def __init__(self, head) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head.deterministic(features)


@pytest.fixture(params=HEADS)
def head(request):
    return HEADS[request.param]()


@pytest.fixture
def features(head, generator):
    return torch.randn(4, 5, head.in_dim, generator=generator)


def test_sizes(head, features):
    assert head.num_actions == A
    assert head(features).mean.shape == (4, 5, A)
    assert all(x.shape == (4, 5, A) for x in head(features))


def test_the_deterministic_action_is_the_mode(head, features):
    assert torch.equal(head.deterministic(features), head(features).mode())


def test_it_follows_its_module_to_another_type(head, features):
    distribution = head.double()(features.double())
    assert all(x.dtype == torch.float64 for x in (*distribution, distribution.mode(), distribution.entropy()))


@pytest.mark.slow
def test_the_deterministic_action_can_be_exported(head, features):
    rows = features.flatten(0, 1)
    program = torch.export.export(
        Deterministic(head), (rows[:2],), dynamic_shapes={"features": {0: torch.export.Dim("batch", min=1)}}
    )
    torch.testing.assert_close(program.module()(rows), head.deterministic(rows))


def test_the_deterministic_action_can_be_traced(head, features):
    rows = features.flatten(0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(Deterministic(head), rows[:2])
    assert torch.equal(traced(rows), head.deterministic(rows))


def test_every_parameter_learns(head, features, generator):
    features = (features.abs() + 0.1).requires_grad_()  # within the bounds of a standard deviation
    distribution = head(features)
    actions = distribution.sample(generator).detach()
    (distribution.log_prob(actions).sum() + distribution.entropy().sum()).backward()
    assert features.grad.abs().min() > 0
    assert all(parameter.grad.abs().min() > 0 for parameter in head.parameters())
