"""Rough ground in the velocity task: what is seen of it, and which tile comes next."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fleetfoot.core.config import apply_overrides
from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.sim.terrain.config import GeneratorCfg
from fleetfoot.sim.terrain.tiles import make_tiles
from fleetfoot.tasks.velocity.config import EventsCfg, HeightScanCfg, VelocityEnvCfg, play_mode, rough, rough_blind
from fleetfoot.tasks.velocity.env import make_env
from fleetfoot.tasks.velocity.ground import first_lessons, next_levels, scan_grid
from fleetfoot.tasks.velocity.state import RobotState

STILL = EventsCfg(
    friction=(0.8, 0.8),
    base_mass_offset=(0.0, 0.0),
    reset_position_xy=0.0,
    reset_yaw=0.0,
    reset_velocity=0.0,
    reset_joint_scale=(1.0, 1.0),
    push_interval=None,
)


def make(cfg: VelocityEnvCfg, **overrides: str) -> TaskEnv[RobotState]:
    """A small map: 3 levels of 6 columns, each of its own kind."""
    paths = {"scene.num_envs": "6", "scene.terrain.num_rows": "3", "scene.terrain.num_cols": "6"}
    paths["scene.terrain.flat_rows"] = "0"
    paths |= {name.replace("__", "."): value for name, value in overrides.items()}
    return make_env(apply_overrides(replace(cfg, events=STILL), paths, where="env"), device="cpu", seed=0)


def lesson(env: TaskEnv[RobotState]) -> dict[str, Tensor]:
    return env.state_dict()["lesson"]


def put(env: TaskEnv[RobotState], ids: list[int], x: float) -> None:
    """Move robots along x, away from the origin of their tile."""
    qpos, qvel = env.task.initial_state(len(ids), torch.Generator())
    qpos[:, :3] += lesson(env)["origin"][ids]
    qpos[:, 0] += x
    qpos[:, 2] += 3.0  # in the air, wherever the ground is
    env.sim.write_state(torch.tensor(ids), qpos, qvel)


def end_all_episodes(env: TaskEnv[RobotState]) -> dict[str, Tensor]:
    env.episode_length.fill_(env.max_episode_length)
    result = env.step(torch.zeros(env.num_envs, 12))
    assert (result.truncated | result.terminated).all()
    return dict(result.obs)


def test_the_scan_is_isaac_labs_grid() -> None:
    grid = scan_grid(HeightScanCfg(), "cpu")
    assert grid.shape == (2, 187)
    torch.testing.assert_close(grid[:, 0], torch.tensor([-0.8, -0.5]))
    torch.testing.assert_close(grid[:, 1], torch.tensor([-0.7, -0.5]))  # first along the robot
    torch.testing.assert_close(grid[:, 17], torch.tensor([-0.8, -0.4]))
    torch.testing.assert_close(grid[:, 93], torch.tensor([0.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(grid[:, -1], torch.tensor([0.8, 0.5]))


@pytest.mark.parametrize(
    ("level", "walked", "asked", "expected"),
    [
        (1, 4.1, 20.0, 2),  # left the tile: up, although it was asked for more
        (1, 3.9, 7.0, 1),  # more than half the way
        (1, 3.9, 8.0, 0),  # less than half the way
        (0, 0.0, 8.0, 0),  # there is nothing below the first level
        (1, 0.0, 0.0, 1),  # nothing was asked for
        (2, 5.0, 5.0, 7),  # past the last level: anywhere
    ],
)
def test_next_levels_by_hand(level: int, walked: float, asked: float, expected: int) -> None:
    found = next_levels(
        torch.tensor([level]),
        torch.tensor([walked]),
        torch.tensor([asked]),
        torch.tensor([7]),
        half_tile=4.0,
        num_levels=3,
    )
    assert found.tolist() == [expected]


def test_robots_spread_over_columns_and_first_levels() -> None:
    origins = torch.rand(10, 4, 3)
    lessons = first_lessons(400, torch.Generator().manual_seed(0), origins=origins, highest=2)
    assert lessons["column"].bincount().tolist() == [100] * 4
    assert sorted(lessons["level"].unique().tolist()) == [0, 1, 2]
    assert torch.equal(lessons["origin"][17], origins[lessons["level"][17], lessons["column"][17]])


def test_episodes_begin_on_their_tiles_above_the_ground() -> None:
    env = make(rough(), scene__terrain__max_init_terrain_level="2")
    origins = torch.tensor(make_tiles(GeneratorCfg(num_rows=3, num_cols=6, flat_rows=0)).origins, dtype=torch.float32)
    mine = lesson(env)
    assert mine["column"].tolist() == [0, 1, 2, 3, 4, 5]
    start = torch.stack([torch.tensor(env.snapshot(i)["qpos"][:3]) for i in range(6)]).float()
    height = torch.tensor([0.0, 0.0, 0.6])
    torch.testing.assert_close(start, origins[mine["level"], mine["column"]] + height)


def test_robots_left_alone_stand_on_every_kind_of_tile() -> None:
    env = make(rough(), scene__terrain__max_init_terrain_level="2", observations__height_scan__noise="0")
    scans = []
    for _ in range(60):
        result = env.step(torch.zeros(6, 12))
        assert not result.terminated.any()
        scans.append(result.obs["height_scan"][:, 93])  # the point below the base
    standing = 0.5 + scans[-1]
    assert ((standing > 0.35) & (standing < 0.7)).all()


def test_those_that_walked_away_go_up_and_those_that_did_not_go_down() -> None:
    env = make(
        rough(),
        scene__terrain__max_init_terrain_level="0",
        commands__lin_vel_x="[1,1]",
        commands__lin_vel_y="[0,0]",
        commands__rel_standing_envs="0",
        observations__height_scan__noise="0",
    )
    put(env, [0, 1], 4.2)
    end_all_episodes(env)
    assert lesson(env)["level"].tolist() == [1, 1, 0, 0, 0, 0]
    put(env, [0], 4.2)
    obs = end_all_episodes(env)
    assert lesson(env)["level"].tolist() == [2, 0, 0, 0, 0, 0]
    assert lesson(env)["column"].tolist() == [0, 1, 2, 3, 4, 5]
    assert obs["height_scan"][0, 93] == pytest.approx(0.1, abs=1e-5)  # it begins 0.6 m above the new tile


def test_the_level_is_reported() -> None:
    env = make(rough(), scene__terrain__max_init_terrain_level="0")
    put(env, [0, 1, 2], 4.2)
    env.episode_length.fill_(env.max_episode_length)
    assert float(env.step(torch.zeros(6, 12)).metrics["Curriculum/terrain_levels"]) == 0.5


def test_without_a_curriculum_every_episode_is_somewhere_else() -> None:
    env = make(play_mode(rough()), scene__num_envs="200", scene__terrain__max_init_terrain_level="9")
    first = lesson(env)
    end_all_episodes(env)
    second = lesson(env)
    for mine in (first, second):
        assert sorted(mine["level"].unique().tolist()) == [0, 1, 2]
        assert len(mine["column"].unique()) == 6
    assert (first["column"] != second["column"]).any()


def test_a_policy_is_judged_on_rough_tiles_of_any_difficulty() -> None:
    terrain = play_mode(rough()).scene.terrain
    assert isinstance(terrain, GeneratorCfg)
    assert (terrain.curriculum, terrain.flat_rows, terrain.max_init_terrain_level) == (False, 0, 9)


def test_scan_of_a_stair_by_hand() -> None:
    """A robot in the middle of a pyramid with so small a platform that its first step down is seen."""
    env = make(
        rough(),
        scene__terrain__difficulty_range="[0,0]",
        scene__terrain__sub_terrains__pyramid_stairs__platform="1.0",
        observations__enable_corruption="false",
    )
    scan = env.reset()["height_scan"][0].reshape(11, 17)
    # Its last riser ends 0.6 m from the middle; on the platform the base is 0.6 - 0.5 m above the ground, on the step
    # 0.05 m more. The points are at -0.8, -0.7 and so on.
    torch.testing.assert_close(scan[5], torch.tensor([0.15] * 2 + [0.1] * 13 + [0.15] * 2))
    torch.testing.assert_close(scan, scan.flip(0))
    torch.testing.assert_close(scan, scan.flip(1))


def test_the_scan_is_noisy_and_clipped() -> None:
    noisy, exact = make(rough()), make(rough(), observations__height_scan__noise="0")
    noise = noisy.reset()["height_scan"] - exact.reset()["height_scan"]
    assert 0.05 < noise.abs().max() <= 0.1 + 1e-6
    put(exact, [0], 0.0)
    assert exact.step(torch.zeros(6, 12)).obs["height_scan"][0].max() == 1.0


def test_groups_of_the_blind_one() -> None:
    seeing, blind = make(rough()), make(rough_blind())
    assert seeing.observation_spec == {"policy": (48,), "critic": (70,), "height_scan": (187,)}
    assert blind.observation_spec == {**seeing.observation_spec, "sensors": (45,)}
    terms = blind.policy_contract()["observations"]
    sensors = terms.pop("sensors")
    assert terms == seeing.policy_contract()["observations"]
    assert [term["name"] for term in sensors] == [
        "base_ang_vel",
        "projected_gravity",
        "velocity_commands",
        "joint_pos",
        "joint_vel",
        "actions",
    ]


def test_a_scan_of_a_plane_reads_the_height_of_the_base() -> None:
    cfg = replace(VelocityEnvCfg(), events=STILL)
    cfg = apply_overrides(cfg, {"scene.num_envs": "2", "observations.height_scan.noise": "0"}, where="env")
    scan = make_env(cfg, device="cpu", seed=0).reset()["height_scan"]
    torch.testing.assert_close(scan, torch.full((2, 187), 0.1))


def test_what_the_robot_needs_to_know_of_the_scan() -> None:
    assert make(rough()).policy_contract()["height_scan"] == {
        "shape": [17, 11],
        "resolution": 0.1,
        "offset": 0.5,
        "order": "x_first",
    }


def test_nobody_falls_off_the_map() -> None:
    env = make(rough())
    put(env, [0], 30.0)
    assert math.isclose(env.snapshot(0)["qpos"][2], 0.6 + 3.0 + float(lesson(env)["origin"][0, 2]), rel_tol=1e-6)
    for _ in range(100):
        result = env.step(torch.zeros(6, 12))
        assert not result.truncated.any()
    assert env.snapshot(0)["qpos"][2] > 0.2
