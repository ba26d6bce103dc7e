"""The action distributions of rsl_rl 5.5.1, from the same network.

Two things differ on purpose. The entropy of its Beta leaves out the logarithm of the range's width, a constant. And its
samples come from the global random state, so that only their distribution could be the same.
"""

import math

import pytest
import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules.distribution import BetaDistribution, Distribution
from tensordict import TensorDict

from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    DistributionCfg,
    GaussianCfg,
    MlpCfg,
    StateDependentGaussianCfg,
)

N, A = 64, 3
LOW, HIGH = -1.5, 2.5
MODULE = "rsl_rl.modules.distribution"
CASES = {
    "gaussian": (GaussianCfg(init_std=0.8), {"class_name": f"{MODULE}:GaussianDistribution", "init_std": 0.8}),
    "gaussian, logarithm": (
        GaussianCfg(init_std=0.8, std_type="log"),
        {"class_name": f"{MODULE}:GaussianDistribution", "init_std": 0.8, "std_type": "log"},
    ),
    "state-dependent": (
        StateDependentGaussianCfg(init_std=0.6),
        {"class_name": f"{MODULE}:HeteroscedasticGaussianDistribution", "init_std": 0.6},
    ),
    "state-dependent, logarithm, tight": (
        StateDependentGaussianCfg(init_std=0.6, std_type="log", std_range=(0.55, 0.65)),
        {
            "class_name": f"{MODULE}:HeteroscedasticGaussianDistribution",
            "init_std": 0.6,
            "std_type": "log",
            "std_range": (0.55, 0.65),
        },
    ),
    "beta": (BetaCfg(), {"class_name": f"{MODULE}:BetaDistribution"}),
    "beta of another range": (
        BetaCfg(action_range=(LOW, HIGH)),
        {"class_name": f"{MODULE}:BetaDistribution", "action_range": (LOW, HIGH)},
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def obs(generator):
    return {"policy": torch.randn(N, 6, generator=generator)}


def make_both(case: tuple[DistributionCfg, dict]) -> tuple[Actor, MLPModel]:
    """An actor of each, built from the same random state."""
    cfg, their_cfg = case
    torch.manual_seed(3)
    ours = build_actor(
        ActorCfg(network=MlpCfg(hidden_dims=(16, 8)), distribution=cfg), ("policy",), {"policy": (6,)}, A
    )
    torch.manual_seed(3)
    example = TensorDict({"policy": torch.zeros(N, 6)}, batch_size=[N])
    return ours, MLPModel(example, {"actor": ["policy"]}, "actor", A, (16, 8), "elu", False, their_cfg)


def move(ours: Actor, theirs: MLPModel, generator) -> None:
    """Another policy in both: also the weights that start at zero are no longer there."""
    for own, other in zip(ours.network.parameters(), theirs.mlp.parameters(), strict=True):
        own.data += 0.2 * torch.randn(own.shape, generator=generator)
        other.data.copy_(own.data)


def parameters(ours: Actor, theirs: MLPModel) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """All that learns, in the same order."""
    own = [*ours.network.parameters(), *ours.head.parameters()]
    assert theirs.distribution is not None
    return own, [*theirs.mlp.parameters(), *theirs.distribution.parameters()]


def updated(theirs: MLPModel, obs) -> Distribution:
    """Their distribution, set to these observations."""
    theirs(TensorDict(obs, batch_size=[N]), stochastic_output=True)
    assert theirs.distribution is not None
    return theirs.distribution


def test_they_start_with_the_same_numbers(case):
    ours, theirs = make_both(case)
    own, other = parameters(ours, theirs)
    torch.testing.assert_close([x.detach() for x in own], [x.detach() for x in other], rtol=2e-7, atol=0.0)


def test_parameters_moments_and_actions_are_equal(case, obs, generator):
    ours, theirs = make_both(case)
    move(ours, theirs, generator)
    distribution, _ = ours(obs)
    other = updated(theirs, obs)
    for own_value, other_value in zip(list(distribution)[:2], other.params, strict=True):
        torch.testing.assert_close(own_value, other_value, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(distribution.mean, other.mean, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(distribution.std, other.std, rtol=0.0, atol=1e-6)
    deterministic = theirs(TensorDict(obs, batch_size=[N]), stochastic_output=False)
    torch.testing.assert_close(distribution.mode(), deterministic, rtol=0.0, atol=1e-6)


def test_densities_entropies_divergences_and_their_gradients_are_equal(case, obs, generator):
    ours, theirs = make_both(case)
    old = type(ours(obs)[0])(*(x.detach() for x in ours(obs)[0]))
    their_old = tuple(x.detach().clone() for x in updated(theirs, obs).params)
    move(ours, theirs, generator)
    new, _ = ours(obs)
    other = updated(theirs, obs)
    actions = old.sample(generator)
    width = A * math.log(HIGH - LOW if case[0] == BetaCfg(action_range=(LOW, HIGH)) else 2.0)
    left_out = width if isinstance(other, BetaDistribution) else 0.0
    own, others = parameters(ours, theirs)
    for value, their_value in (
        (new.log_prob(actions), other.log_prob(actions)),
        (new.entropy(), other.entropy + left_out),
        (old.kl(new), other.kl_divergence(their_old, other.params)),
    ):
        torch.testing.assert_close(value, their_value, rtol=2e-5, atol=2e-5)
        gradients = torch.autograd.grad(value.mean(), own, allow_unused=True, retain_graph=True)
        their_gradients = torch.autograd.grad(their_value.mean(), others, allow_unused=True, retain_graph=True)
        assert any(gradient is not None for gradient in gradients)
        for gradient, their_gradient in zip(gradients, their_gradients, strict=True):
            assert (gradient is None) == (their_gradient is None)
            if gradient is not None:
                torch.testing.assert_close(gradient, their_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("action", [LOW, LOW + 1e-5, HIGH, HIGH + 1.0])
def test_at_the_bounds_the_density_is_equal_too(action, obs, generator):
    ours, theirs = make_both(CASES["beta of another range"])
    move(ours, theirs, generator)
    actions = torch.full((N, A), action)
    # Theirs has 1 - x from an x that is rounded: at the upper bound a millionth is one of 1.3 % more.
    torch.testing.assert_close(
        ours(obs)[0].log_prob(actions), updated(theirs, obs).log_prob(actions), rtol=0, atol=0.05
    )
