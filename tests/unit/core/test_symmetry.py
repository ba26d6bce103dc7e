import pytest

from fleetfoot.core.symmetry import MirrorImage, SignedPermutation, check_mirror_images
from fleetfoot.errors import ContractError

SWAP = SignedPermutation((1, 0, 2), (1.0, 1.0, -1.0))
TURN = SignedPermutation((1, 0), (-1.0, -1.0))
SPEC = {"policy": (3,)}


def image(observations=SWAP, actions=TURN) -> MirrorImage:
    return MirrorImage(name="side", observations={"policy": observations}, actions=actions)


def test_numbers_change_places_and_signs():
    assert SWAP([1.0, 2.0, 3.0]) == (2.0, 1.0, -3.0)


def test_one_after_another_is_what_both_do():
    turn = SignedPermutation((2, 0, 1), (1.0, -1.0, 1.0))
    x = [1.0, 2.0, 3.0]
    assert turn.after(SWAP)(x) == turn(SWAP(x))
    assert SWAP.after(turn)(x) == SWAP(turn(x))


def test_parts_are_mirrored_each_in_itself():
    joined = SignedPermutation.join([SWAP, SignedPermutation((1, 0), (-1.0, -1.0))])
    assert joined([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 1.0, -3.0, -5.0, -4.0)


def test_the_identity_changes_nothing():
    assert SignedPermutation.identity(2)([1.0, 2.0]) == (1.0, 2.0)
    assert SignedPermutation.identity(2).is_involution


def test_a_mirror_twice_is_the_robot_itself():
    assert SWAP.is_involution
    assert not SignedPermutation((1, 2, 0), (1.0, 1.0, 1.0)).is_involution
    assert not SignedPermutation((1, 0), (1.0, -1.0)).is_involution


def test_a_sound_image_passes():
    check_mirror_images([image()], SPEC, 2)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            MirrorImage(name="side", observations={}, actions=SignedPermutation.identity(2)),
            "mirror_images['side'].policy: got nothing; expected a signed permutation of 3 numbers.",
        ),
        (
            image(observations=SignedPermutation((0, 1), (1.0, 1.0))),
            "mirror_images['side'].policy: got (0, 1); expected a permutation of 0 to 2.",
        ),
        (
            image(actions=SignedPermutation((0, 0), (1.0, 1.0))),
            "mirror_images['side'].actions: got (0, 0); expected a permutation of 0 to 1.",
        ),
        (
            image(actions=SignedPermutation((1, 0), (1.0, -1.0))),
            "mirror_images['side'].actions: got a map that is not its own inverse; "
            "expected mirroring twice to undo it.",
        ),
    ],
)
def test_what_is_no_mirror_image_is_named(broken, message):
    with pytest.raises(ContractError) as caught:
        check_mirror_images([broken], SPEC, 2)
    assert str(caught.value) == message


def test_an_image_that_contradicts_the_names_of_the_joints_is_named():
    names = ("left_hip", "left_knee", "right_hip", "right_knee")
    sound = SignedPermutation((2, 3, 0, 1), (-1.0, 1.0, -1.0, 1.0))
    check_mirror_images([image(actions=sound)], SPEC, 4, names)
    broken = SignedPermutation((3, 2, 1, 0), (-1.0, 1.0, 1.0, -1.0))
    check_mirror_images([image(actions=broken)], SPEC, 4)  # nothing is known of the names
    with pytest.raises(ContractError) as caught:
        check_mirror_images([image(actions=broken)], SPEC, 4, names)
    assert str(caught.value) == (
        "mirror_images['side'].actions: got 'left_hip' taken from 'right_knee'; expected 'right_hip', as the names of "
        "the joints say. Look at the order of the joints in action_spec.names."
    )
