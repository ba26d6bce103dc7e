"""Environments of mjlab by our contract."""

import pytest
import torch
from mjlab.rl.exporter_utils import get_base_metadata

from fleetfoot.core.check import check_vec_env
from fleetfoot.core.vec_env import CurriculumEnv, DescribedEnv
from fleetfoot.export.mjlab import mjlab_properties

CARTPOLE = "Mjlab-Cartpole-Balance"
GO1 = "Mjlab-Velocity-Flat-Unitree-Go1"


@pytest.mark.parametrize("name", [CARTPOLE, GO1])
def test_they_keep_the_contract(make, name):
    check_vec_env(make(name), num_steps=16)


def test_the_last_observation_is_of_the_episode_that_ends(make):
    """A cart that is at rest in its first observation is not in the last of the episode before; the others go on."""
    env = make(CARTPOLE)
    env.reset(0)
    for _ in range(5):
        env.step(torch.ones(3, 1))
    env.episode_length[1] = env.max_episode_length - 1
    result = env.step(torch.ones(3, 1))
    assert result.truncated.tolist() == [False, True, False]
    assert not result.terminated.any()
    last, first = result.final_obs["actor"], result.obs["actor"]
    assert torch.equal(last[[0, 2]], first[[0, 2]])
    assert not torch.equal(last[1], first[1])
    assert env.episode_length.tolist() == [6, 0, 6]
    cart_vel = 3  # cart_pos, cos and sin of pole_angle, cart_vel, pole_vel
    assert last[1, cart_vel] > 0.1 > first[1, cart_vel].abs()


def test_a_fall_is_terminated_and_no_last_observation_is_made_up(make):
    env = make(GO1, events__push_robot="null")
    obs = env.reset(0)
    assert env.step(torch.zeros(3, 12)).final_obs is None
    pose = env.env.scene["robot"].data.root_link_pose_w.clone()
    pose[1, 3:] = torch.tensor([0.0, 1.0, 0.0, 0.0])  # on its back
    pose[:, 2] += 1.0
    env.env.scene["robot"].write_root_link_pose_to_sim(pose)
    result = env.step(torch.zeros(3, 12))
    assert result.terminated.tolist() == [False, True, False]
    assert not result.truncated.any()
    gravity_z = 8  # base_lin_vel, base_ang_vel, projected_gravity
    assert result.final_obs["critic"][1, gravity_z] > 0.9
    assert result.obs["critic"][1, gravity_z] < -0.9
    assert result.metrics["Episode_Termination/fell_over"] == 1
    assert obs["critic"].shape == (3, 72)


def test_metrics_of_commands_are_those_of_mjlab(make):
    """That one robot begins anew adds nothing to what is counted of the others."""
    counted = []
    for lengths in ([0, 0, 0], [0, 999, 0]):
        env = make(GO1)
        env.reset(0)
        env.episode_length.copy_(torch.tensor(lengths))
        env.step(torch.zeros(3, 12))
        counted.append(env.env.command_manager.get_term("twist").metrics["error_vel_xy"][0].item())
    assert counted[0] == counted[1] > 0


def test_a_finite_horizon_ends_for_good(make):
    env = make(CARTPOLE, is_finite_horizon="true")
    env.reset(0)
    env.episode_length[0] = env.max_episode_length - 1
    result = env.step(torch.zeros(3, 1))
    assert (result.terminated.tolist(), result.truncated.any().item()) == ([True, False, False], False)


def test_history_and_terms_that_are_not_joined(make):
    env = make(
        CARTPOLE,
        observations__actor__history_length="3",
        observations__actor__flatten_history_dim="false",
        observations__actor__concatenate_terms="false",
    )
    assert env.observation_spec["actor.cart_pos"] == (3, 1)
    assert env.observation_spec["actor.pole_angle"] == (3, 2)
    check_vec_env(env, num_steps=8)


def test_a_curriculum_goes_on_where_it_was(make):
    env = make(GO1)
    assert isinstance(env, CurriculumEnv)
    ranges = env.env.command_manager.get_term("twist").cfg.ranges
    env.reset(0)
    before = ranges.lin_vel_x
    env.go_on_from_step(10_000 * 24)
    env.reset(0)
    after = env.env.command_manager.get_term("twist").cfg.ranges.lin_vel_x
    assert after[1] > before[1]


def test_what_is_exported_says_what_mjlab_says(make):
    """Under mjlab's keys, the same names and, to the three decimals that it writes, the same numbers."""
    env = make(GO1)
    assert isinstance(env, DescribedEnv)
    contract = env.policy_contract()
    contract["observations"] = contract["observations"]["actor"]
    ours, theirs = mjlab_properties(contract), get_base_metadata(env.env, "local")
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        if key in ("observation_terms_clip", "run_path", "observation_terms_flatten_history_dim"):
            continue
        assert_same(key, ours[key].split(","), value)


def assert_same(key, ours, theirs):
    assert len(ours) == len(theirs), key
    for one, other in zip(ours, theirs, strict=True):
        assert one == other if isinstance(other, str) else float(one) == pytest.approx(float(other), abs=1e-3), key


def test_it_draws_itself(make):
    env = make(CARTPOLE)
    env.reset(0)
    picture = env.render()
    assert (picture.dtype.name, picture.shape) == ("uint8", (240, 320, 3))
    assert picture.std() > 1
    for _ in range(20):
        env.step(torch.ones(3, 1))
    assert (env.render() != picture).any()
