"""What spaces mean: which groups, which shapes, which numbers, which bounds; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from fleetfoot.envs.gym.spaces import read_actions, read_groups
from fleetfoot.errors import ContractError

FLAT = spaces.Box(-np.inf, np.inf, (3,), np.float64)
RGB = spaces.Box(0, 255, (8, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("space", "spec"),
    [
        (FLAT, {"policy": (3,)}),
        (spaces.Box(-1, 1, (), np.float32), {"policy": (1,)}),
        (spaces.Box(-1, 1, (2, 3), np.float32), {"policy": (6,)}),
        (spaces.Box(-1, 1, (2, 3, 4, 5), np.float32), {"policy": (120,)}),
        (spaces.MultiBinary(5), {"policy": (5,)}),
        (RGB, {"policy": (3, 8, 6)}),
        (spaces.Box(0, 255, (4, 84, 84), np.uint8), {"policy": (4, 84, 84)}),
        (spaces.Box(0, 255, (8, 6), np.uint8), {"policy": (1, 8, 6)}),
        (spaces.Dict(b=FLAT, a=spaces.MultiBinary(2)), {"policy": (5,), "b": (3,), "a": (2,)}),
        (spaces.Dict(policy=FLAT, other=FLAT), {"policy": (3,), "other": (3,)}),
        (spaces.Dict(x=FLAT, eye=spaces.Dict(rgb=RGB)), {"policy": (3,), "x": (3,), "eye/rgb": (3, 8, 6)}),
        (spaces.Tuple([FLAT, RGB]), {"policy": (3,), "0": (3,), "1": (3, 8, 6)}),
        (spaces.Dict(rgb=RGB), {"rgb": (3, 8, 6)}),
    ],
)
def test_groups_and_shapes(space, spec):
    groups = read_groups(space)
    assert groups.spec == spec
    read = groups.read_rows([space.sample(), space.sample()])
    assert {name: tuple(x.shape) for name, x in read.items()} == {name: (2, *shape) for name, shape in spec.items()}
    assert all(x.dtype == torch.float32 for x in read.values())


def test_numbers_are_converted_once_and_never_shared():
    numbers = np.arange(6.0).reshape(2, 3)
    read = read_groups(FLAT).read(numbers)["policy"]
    numbers[:] = -1
    assert read.tolist() == [[0, 1, 2], [3, 4, 5]]
    same_type = np.zeros((2, 3), dtype=np.float32)
    read = read_groups(spaces.Box(-1, 1, (3,), np.float32)).read(same_type)["policy"]
    same_type[:] = -1
    assert read.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_pictures_have_their_channels_first_and_numbers_up_to_one():
    pictures = np.zeros((1, 8, 6, 3), dtype=np.uint8)
    pictures[0, 5, 2, 1] = 255
    read = read_groups(RGB).read(pictures)["policy"]
    assert read[0, 1, 5, 2] == pytest.approx(1.0)
    assert read.sum() == pytest.approx(1.0)


def test_flat_groups_are_joined_in_the_order_of_the_space():
    space = spaces.Dict({"z": FLAT, "a": spaces.Tuple([spaces.Box(0, 1, (1,)), spaces.Box(0, 1, (1,))])})
    batch = {"z": np.array([[1.0, 2, 3]]), "a": (np.array([[4.0]]), np.array([[5.0]]))}
    read = read_groups(space).read(batch)
    assert read["policy"].tolist() == [[4, 5, 1, 2, 3]] if list(space.spaces) == ["a", "z"] else [[1, 2, 3, 4, 5]]
    assert read["a/1"].tolist() == [[5]]


@pytest.mark.parametrize(
    ("space", "where"),
    [
        (spaces.Discrete(4), "observation_space: got Discrete"),
        (spaces.Dict(a=FLAT, b=spaces.Dict(c=spaces.MultiDiscrete([2, 3]))), r"observation_space\.b\.c: got MultiDis"),
        (spaces.Tuple([FLAT, spaces.Text(5)]), r"observation_space\.1: got Text"),
        (spaces.Dict({}), "observation_space: got Dict"),
    ],
)
def test_what_no_network_can_read(space, where):
    with pytest.raises(ContractError, match=where):
        read_groups(space)


BOUNDED = spaces.Box(np.array([-2.0, 0.0], np.float32), np.array([2.0, 4.0], np.float32))
GIVEN = torch.tensor([[-3.0, -1.0], [0.5, 5.0]])


def test_actions_are_clipped_to_the_bounds():
    actions = read_actions(BOUNDED, "clip")
    assert actions.apply(GIVEN).tolist() == [[-2, 0], [0.5, 4]]
    assert (actions.spec.low, actions.spec.high) == ((-2, 0), (2, 4))
    assert GIVEN.tolist() == [[-3, -1], [0.5, 5]], "what the learner keeps is what it drew"


def test_actions_are_rescaled_to_the_bounds():
    actions = read_actions(BOUNDED, "rescale")
    assert actions.apply(GIVEN).tolist() == [[-2, 0], [1, 4]]
    assert (actions.spec.low, actions.spec.high) == ((-1, -1), (1, 1))


def test_actions_without_bounds():
    actions = read_actions(spaces.Box(-np.inf, np.inf, (2, 1), np.float64), "clip")
    assert (actions.spec.size, actions.spec.low, actions.spec.high) == (2, None, None)
    applied = actions.apply(GIVEN)
    assert (applied.shape, applied.dtype) == ((2, 2, 1), np.float64)
    half = read_actions(spaces.Box(np.array([-np.inf]), np.array([1.0]), dtype=np.float64), "clip")
    assert half.spec.low is None
    assert half.apply(torch.tensor([[-9.0], [9.0]])).tolist() == [[-9], [1]], "a bound on one side holds"
    with pytest.raises(ContractError, match=r"finite bounds to rescale to\. Set env\.actions=clip"):
        read_actions(spaces.Box(-np.inf, 1.0, (2,)), "rescale")


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(3), spaces.MultiDiscrete([2, 2]), spaces.Box(0, 5, (2,), np.int64), spaces.Dict(a=BOUNDED)],
)
def test_what_ppo_cannot_act_in(space):
    with pytest.raises(ContractError, match=r"action_space: got .*; expected a Box of floats"):
        read_actions(space, "clip")
