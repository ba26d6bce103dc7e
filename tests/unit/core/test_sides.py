"""Which joint is left for a right one, by their names."""

import pytest

from fleetfoot.core.sides import Contradiction, find_contradiction

# Names of two joints each, in the order left, right or left front, right front, left hind, right hind.
TWO_LEGS = [
    ("left_hip_joint", "right_hip_joint"),
    ("L_HIP", "R_HIP"),
    ("LHipPitch", "RHipPitch"),
    ("leftHip", "rightHip"),
    ("leg_l1_joint", "leg_r1_joint"),
]
FOUR_LEGS = [
    ("LF_HAA", "RF_HAA", "LH_HAA", "RH_HAA"),
    ("FL_hip_joint", "FR_hip_joint", "RL_hip_joint", "RR_hip_joint"),
    ("fl.hx", "fr.hx", "hl.hx", "hr.hx"),
    ("lf_hip", "rf_hip", "lr_hip", "rr_hip"),  # r is right, or rear
    ("front_left_hip", "front_right_hip", "rear_left_hip", "rear_right_hip"),
    ("front_left_hip", "front_right_hip", "back_left_hip", "back_right_hip"),
    ("ForeLeftHip", "ForeRightHip", "HindLeftHip", "HindRightHip"),
]
LEFT_RIGHT, FRONT_HIND, BOTH = (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)


@pytest.mark.parametrize("names", TWO_LEGS)
def test_left_is_right(names):
    assert find_contradiction(names, (1, 0)) is None
    assert find_contradiction(names, (0, 1)) == Contradiction(names[0], names[0], names[1])


@pytest.mark.parametrize("names", FOUR_LEGS)
@pytest.mark.parametrize("index", [LEFT_RIGHT, FRONT_HIND, BOTH])
def test_any_of_the_three_images_of_four_legs_will_do(names, index):
    assert find_contradiction(names, index) is None


@pytest.mark.parametrize("names", FOUR_LEGS)
@pytest.mark.parametrize("index", [(0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2), (2, 1, 0, 3), (3, 1, 2, 0)])
def test_half_an_image_contradicts_the_names(names, index):
    found = find_contradiction(names, index)
    assert found is not None
    assert found.partner == names[index[names.index(found.joint)]]
    assert found.expected != found.partner


def test_what_contradicts_is_told_by_the_kind_that_most_joints_agree_with():
    names = ("LF_HAA", "LF_KFE", "RF_HAA", "RF_KFE", "LH_HAA", "LH_KFE", "RH_HAA", "RH_KFE")
    index = (2, 3, 0, 1, 7, 6, 5, 4)  # the joints of the hind legs are confused
    assert find_contradiction(names, index) == Contradiction("LH_HAA", "RH_KFE", "RH_HAA")


def test_joints_in_the_middle_may_stay_where_they_are():
    names = ("waist_yaw", "left_hip", "right_hip", "head")
    assert find_contradiction(names, (0, 2, 1, 3)) is None


def test_a_joint_in_the_middle_is_no_partner_of_one_at_a_side():
    names = ("waist", "left_hip", "right_hip")
    assert find_contradiction(names, (1, 0, 2)) == Contradiction("left_hip", "waist", "right_hip")


@pytest.mark.parametrize("names", [("slider",), ("hip_1", "hip_2"), ("roll", "lift"), ("leftover", "right_hip")])
def test_names_without_sides_contradict_nothing(names):
    assert find_contradiction(names, tuple(range(len(names)))) is None
    assert find_contradiction(names, tuple(reversed(range(len(names))))) is None
