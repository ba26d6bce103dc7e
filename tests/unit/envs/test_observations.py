"""Observation groups on a state that is just a tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from fleetfoot.envs.observations import ObservationGroups
from fleetfoot.envs.task import ObsTerm

CPU = torch.device("cpu")


def first(state: Tensor) -> Tensor:
    return state[:, :1]


def rest(state: Tensor) -> Tensor:
    return state[:, 1:]


def test_terms_are_clipped_then_scaled_and_put_side_by_side() -> None:
    terms = (ObsTerm(name="a", fn=first, size=1, clip=(-1.0, 1.0), scale=10.0), ObsTerm(name="b", fn=rest, size=2))
    observe = ObservationGroups({"policy": terms}, CPU)
    obs = observe(torch.tensor([[5.0, 6.0, 7.0], [-0.5, 8.0, 9.0]]), torch.Generator())
    assert observe.spec == {"policy": (3,)}
    assert obs["policy"].tolist() == [[10.0, 6.0, 7.0], [-5.0, 8.0, 9.0]]


def test_noise_is_uniform_within_its_half_width_and_only_where_asked() -> None:
    terms = (ObsTerm(name="a", fn=first, size=1, noise=0.1), ObsTerm(name="b", fn=rest, size=2))
    observe = ObservationGroups({"policy": terms}, CPU)
    obs = observe(torch.zeros(10_000, 3), torch.Generator().manual_seed(0))["policy"]
    assert obs[:, 0].abs().max() <= 0.1
    assert abs(float(obs[:, 0].std()) - 0.2 / 12**0.5) < 1e-3
    assert (obs[:, 1:] == 0).all()


def test_groups_share_a_term_but_not_its_noise_nor_its_memory() -> None:
    calls = []

    def counted(state: Tensor) -> Tensor:
        calls.append(1)
        return state

    noisy, clean = ObsTerm(name="a", fn=counted, size=3, noise=1.0), ObsTerm(name="a", fn=counted, size=3)
    state = torch.zeros(2, 3)
    obs = ObservationGroups({"policy": (noisy,), "critic": (clean,)}, CPU)(state, torch.Generator().manual_seed(0))
    assert len(calls) == 1
    assert (obs["critic"] == 0).all()
    assert (obs["policy"] != 0).all()
    assert obs["critic"].data_ptr() != state.data_ptr()


def test_description_gives_each_term_its_place() -> None:
    terms = (ObsTerm(name="a", fn=first, size=1), ObsTerm(name="b", fn=rest, size=2, noise=0.5))
    a, b = ObservationGroups({"policy": terms}, CPU).describe()["policy"]
    assert (a["start"], a["size"], b["start"], b["size"], b["noise"]) == (0, 1, 1, 2, 0.5)
