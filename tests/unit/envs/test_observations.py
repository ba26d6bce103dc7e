"""Observation groups on a state that is just a tensor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fleetfoot.envs.observations import ObservationGroups
from fleetfoot.envs.task import ImageTerm, ObsTerm
from fleetfoot.errors import ContractError

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


class Thermometer:
    """A camera that shows every environment in one colour, which is where it is: a picture of `[1, 2, 3]`."""

    shape = (1, 2, 3)
    is_open = True

    def __call__(self, qpos: Tensor) -> Tensor:
        return qpos[:, :1, None, None].expand(-1, *self.shape).clone()

    def describe(self) -> dict[str, Any]:
        return {"colour": "grey"}

    def close(self) -> None:
        self.is_open = False


def pictures(frames: int = 3) -> ObservationGroups[Tensor]:
    images = {"camera": ImageTerm(camera=Thermometer(), pose=first, frames=frames)}
    return ObservationGroups({"policy": (ObsTerm(name="b", fn=rest, size=2),)}, CPU, images)


def test_an_episode_begins_with_copies_of_its_first_picture() -> None:
    observe = pictures()
    obs = observe(torch.tensor([[0.5, 0.0, 0.0], [0.25, 0.0, 0.0]]), torch.Generator())
    assert observe.spec == {"policy": (2,), "camera": (3, 2, 3)}
    assert obs["camera"].shape == (2, 3, 2, 3)
    assert obs["camera"][:, :, 0, 0].tolist() == [[0.5] * 3, [0.25] * 3]


def test_pictures_move_on_with_the_oldest_first() -> None:
    observe, obs = pictures(), None
    for where in (0.0, 0.25, 0.5, 0.75):
        before, kept = obs, None if obs is None else obs["camera"].clone()
        obs = observe(torch.tensor([[where, 0.0, 0.0]]), torch.Generator(), before)
        assert before is None or torch.equal(before["camera"], kept), "what was handed out stays as it was"
    assert obs["camera"][0, :, 1, 2].tolist() == [0.25, 0.5, 0.75]


def test_one_picture_is_no_alias_of_the_one_before() -> None:
    observe = pictures(frames=1)
    before = observe(torch.zeros(1, 3), torch.Generator())
    after = observe(torch.ones(1, 3), torch.Generator(), before)
    assert (before["camera"].unique().tolist(), after["camera"].unique().tolist()) == ([0.0], [1.0])


def test_what_is_known_of_pictures() -> None:
    described = {"camera": {"frames": 3, "channels": 1, "first_frame": "oldest", "colour": "grey"}}
    assert pictures().describe_images() == described
    assert set(pictures().describe()) == {"policy"}


def test_a_name_cannot_stand_for_numbers_and_for_pictures() -> None:
    images = {"policy": ImageTerm(camera=Thermometer(), pose=first)}
    with pytest.raises(ContractError, match=r"Task\.images: got 'policy', which is in Task\.observations too"):
        ObservationGroups({"policy": (ObsTerm(name="b", fn=rest, size=2),)}, CPU, images)


def test_cameras_are_closed() -> None:
    camera = Thermometer()
    ObservationGroups({}, CPU, {"camera": ImageTerm(camera=camera, pose=first)}).close()
    assert not camera.is_open
