"""The optimisers against torch's, with a rate that changes; and steps that are left out."""

import copy
import math

import pytest
import torch

from fleetfoot.algorithms.guard import take_step
from fleetfoot.algorithms.optimizers import make_optimizer

TORCH = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def parameters():
    return [torch.full((3,), 1.0, requires_grad=True), torch.full((2, 2), -2.0, requires_grad=True)]


def kept(optimizer):
    """What it remembers, by parameter and name."""
    state = optimizer.state_dict()["state"]
    return {(i, key): x.clone() for i, each in state.items() for key, x in each.items() if x is not None}


@pytest.mark.parametrize("name", TORCH)
def test_steps_are_those_of_torch_also_with_a_rate_that_changes(name, generator):
    ours, theirs, rate = parameters(), parameters(), torch.tensor(0.01)
    one, other = make_optimizer(name, ours, rate), TORCH[name](theirs, lr=0.01)
    for step in range(5):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=generator)
            q.grad = p.grad.clone()
        rate.fill_(0.01 * (step + 1))
        other.param_groups[0]["lr"] = 0.01 * (step + 1)
        _, skipped = take_step(one, (ours,), (math.inf,))
        other.step()
        assert skipped.item() == 0.0
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
    assert kept(one).keys() == kept(other).keys()
    for key, x in kept(other).items():
        torch.testing.assert_close(kept(one)[key], x)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("name", TORCH)
def test_a_broken_gradient_changes_nothing_and_is_forgotten(name, broken, generator):
    ours, same = parameters(), parameters()
    one, other = (make_optimizer(name, p, torch.tensor(0.01)) for p in (ours, same))
    for is_broken in (False, True, False):
        gradients = [torch.randn(p.shape, generator=generator) for p in ours]
        before, remembered = [p.detach().clone() for p in ours], kept(one)
        for p, q, gradient in zip(ours, same, gradients, strict=True):
            p.grad, q.grad = gradient.clone(), gradient.clone()
        if is_broken:
            ours[1].grad[0, 0] = broken
            _, skipped = take_step(one, (ours,), (1.0,))
            assert skipped.item() == 1.0
            assert all(torch.equal(p, q) for p, q in zip(ours, before, strict=True))
            assert all(torch.equal(x, kept(one)[key]) for key, x in remembered.items())
        else:
            take_step(one, (ours,), (1.0,))
            take_step(other, (same,), (1.0,))
    assert all(torch.equal(p, q) for p, q in zip(ours, same, strict=True))


@pytest.mark.parametrize("name", TORCH)
def test_what_has_no_gradient_stays_and_groups_have_their_own_rates(name):
    first, second = parameters()
    rates = torch.tensor(0.1), torch.tensor(0.2)
    optimizer = make_optimizer(name, [{"params": [first]}, {"params": [second], "lr": rates[1]}], rates[0])
    second.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.equal(first, torch.ones(3))
    moved = {"adam": 0.2, "adamw": 0.2 - 2 * 0.2 * 0.01, "sgd": 0.2, "rmsprop": 0.2 / 0.1}[name]
    torch.testing.assert_close(-2.0 - second, torch.full((2, 2), moved))


@pytest.mark.parametrize("name", TORCH)
def test_a_state_goes_on_where_it_was(name, generator):
    ours = parameters()
    one = make_optimizer(name, ours, 0.01)
    for p in ours:
        p.grad = torch.randn(p.shape, generator=generator)
    one.step()
    again = [p.detach().clone().requires_grad_() for p in ours]
    other = make_optimizer(name, again, 0.01)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for p, q in zip(ours, again, strict=True):
        q.grad = p.grad.clone()
    one.step()
    other.step()
    assert all(torch.equal(p, q) for p, q in zip(ours, again, strict=True))
