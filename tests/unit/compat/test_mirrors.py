import pytest
import torch

from fleetfoot.compat.mirrors import find_mirror_images
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.errors import ConfigError

SIZES = {"policy": 3, "more": 1}


def swap_and_turn(env, obs, actions):
    """Two images: the first swaps what is left and right, the second turns all signs."""
    left_right, turned = {}, {}
    if obs is not None:
        left_right = {"policy": obs["policy"][:, [1, 0, 2]] * torch.tensor([1.0, 1.0, -1.0]), "more": obs["more"]}
        turned = {group: -obs[group] for group in SIZES}
        obs = {group: torch.cat((obs[group], left_right[group], turned[group])) for group in SIZES}
    if actions is not None:
        actions = torch.cat((actions, actions.flip(-1), -actions))
    return obs, actions


IMAGES = (
    MirrorImage(
        name="image_1",
        observations={
            "policy": SignedPermutation((1, 0, 2), (1.0, 1.0, -1.0)),
            "more": SignedPermutation((0,), (1.0,)),
        },
        actions=SignedPermutation((1, 0), (1.0, 1.0)),
    ),
    MirrorImage(
        name="image_2",
        observations={
            "policy": SignedPermutation((0, 1, 2), (-1.0, -1.0, -1.0)),
            "more": SignedPermutation((0,), (-1.0,)),
        },
        actions=SignedPermutation((0, 1), (-1.0, -1.0)),
    ),
)


@pytest.mark.parametrize(
    "function", [swap_and_turn, f"{__name__}:swap_and_turn", f"{__name__}.swap_and_turn"], ids=["itself", ":", "."]
)
def test_images_are_found_by_what_the_function_does(theirs, function):
    seen = {group: theirs.obs[group].clone() for group in SIZES}
    assert find_mirror_images(theirs, function, SIZES) == IMAGES
    assert all(torch.equal(theirs.obs[group], x) for group, x in seen.items())


def with_actions(change):
    def function(env, obs, actions):
        obs, _ = swap_and_turn(env, obs, None)
        return obs, torch.cat((actions, change(actions), -actions))

    return function


@pytest.mark.parametrize(
    "change",
    [lambda x: x + 1.0, lambda x: 0.5 * x, lambda x: x.abs(), lambda x: 100 * x, lambda x: x + 0.1 * x.square()],
)
def test_what_does_more_is_refused(theirs, change):
    with pytest.raises(ConfigError, match="got a function that does more to 'actions'; expected one that gives every"):
        find_mirror_images(theirs, with_actions(change), SIZES)


def test_what_was_put_in_has_to_come_first(theirs):
    def function(env, obs, actions):
        obs, actions = swap_and_turn(env, obs, actions)
        return obs, actions.roll(env.num_envs, dims=0)

    with pytest.raises(ConfigError, match="got other 'actions' in the first part; expected what was put in"):
        find_mirror_images(theirs, function, SIZES)


@pytest.mark.parametrize("name", ["no.such.module:function", f"{__name__}:no_such_function", "function"])
def test_a_function_that_is_not_there_is_named(theirs, name):
    with pytest.raises(
        ConfigError, match=rf"data_augmentation_func: got '{name}' \(.*expected a function: module:name"
    ):
        find_mirror_images(theirs, name, SIZES)
