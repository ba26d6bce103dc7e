"""The cartpole seen through a camera: what the pictures show, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.core.vec_env import Observations
from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.tasks.cartpole import SceneCfg
from fleetfoot.tasks.cartpole_camera import TASK, CartpoleCameraEnvCfg, has_fallen, pose

CFG = CartpoleCameraEnvCfg(scene=SceneCfg(num_envs=4))


def make(cfg: CartpoleCameraEnvCfg = CFG, seed: int = 0) -> TaskEnv[Any]:
    env = TASK.make_env(cfg, device="cpu", seed=seed)
    assert isinstance(env, TaskEnv)
    return env


@pytest.fixture
def env() -> Iterator[TaskEnv[Any]]:
    with closing(make()) as env:
        yield env


def place(env: TaskEnv[Any], qpos: list[list[float]]) -> None:
    env.sim.write_state(torch.arange(len(qpos)), torch.tensor(qpos), torch.zeros(len(qpos), 2))


def pictures_of(env: TaskEnv[Any], obs: Observations) -> Tensor:
    """What the camera sees of the states that the critic is told."""
    pole_pos, _, cart_pos, _ = obs["critic"].unbind(dim=1)
    return env.task.images["camera"].camera(torch.stack((cart_pos, pole_pos), dim=1))[:, 0]


def middle_of_what_is_bright(rows: Tensor) -> list[float]:
    """From the left edge of each picture [pixel]."""
    columns = rows.sum(dim=-2)
    bright = columns > 0.5 * columns.max(dim=-1, keepdim=True).values
    places = torch.arange(columns.shape[-1]) + 0.5
    return ((bright * places).sum(dim=-1) / bright.sum(dim=-1)).tolist()


def test_the_cart_and_the_pole_are_where_they_are(env: TaskEnv[Any]) -> None:
    place(env, [[0.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]])
    picture = env.step(torch.zeros(4, 1)).obs["camera"][:, -1]
    # 1.6 m are 24 pixels from bottom to top, so one is 1/15 m: the cart is in rows 18 to 20, and 1 m is 15 columns.
    middle, left = middle_of_what_is_bright(picture[:, 18:21])[:2]
    assert middle == pytest.approx(32.0, abs=0.5)
    assert middle - left == pytest.approx(15.0, abs=0.5)
    # Between rows 6 and 7 the pole is 0.73 m above its hinge, and there 0.73 m tan(0.5) = 0.4 m = 6 pixels to the side.
    upright, _, right, left = middle_of_what_is_bright(picture[:, 6:8])
    assert upright == pytest.approx(32.0, abs=0.5)
    assert right - upright == pytest.approx(6.0, abs=1.0)
    assert upright - left == pytest.approx(6.0, abs=1.0)
    assert (picture[:, :2] == 0).all(), "nothing is above the pole"
    assert env.observation_spec == {"critic": (4,), "camera": (2, 24, 64)}


def test_the_last_picture_is_of_now_and_the_one_before_of_before(env: TaskEnv[Any]) -> None:
    first = env.step(torch.ones(4, 1)).obs
    second = env.step(torch.ones(4, 1)).obs
    assert torch.equal(first["camera"][:, -1], pictures_of(env, first))
    assert torch.equal(second["camera"][:, 0], first["camera"][:, -1])
    assert torch.equal(second["camera"][:, 1], pictures_of(env, second))
    assert second["camera"][:, 0].ne(second["camera"][:, 1]).flatten(1).any(dim=1).all(), "everything moves"


def test_final_pictures_are_from_before_the_reset_and_the_next_ones_from_after(env: TaskEnv[Any]) -> None:
    before = env.step(torch.zeros(4, 1)).obs
    env.episode_length[1] = env.max_episode_length - 1
    result = env.step(torch.zeros(4, 1))
    assert result.truncated.tolist() == [False, True, False, False]
    assert result.final_obs is not None
    final, obs = result.final_obs["camera"], result.obs["camera"]
    assert torch.equal(final[:, 0], before["camera"][:, 1])
    assert torch.equal(final[:, 1], pictures_of(env, result.final_obs))
    assert final.ne(obs).flatten(1).any(dim=1).tolist() == [False, True, False, False]
    assert torch.equal(obs[1, 0], obs[1, 1]), "nothing has moved yet"
    assert torch.equal(obs[:, 1], pictures_of(env, result.obs))
    after = env.step(torch.zeros(4, 1)).obs
    assert torch.equal(after["camera"][:, 0], obs[:, 1])


def test_another_environment_goes_on_with_the_same_pictures(env: TaskEnv[Any]) -> None:
    env.step(torch.ones(4, 1))
    state = env.state_dict()
    going_on = [env.step(torch.ones(4, 1)).obs["camera"] for _ in range(3)]
    with closing(make(seed=9)) as other:
        assert torch.equal(other.load_state_dict(state)["camera"], state["obs"]["camera"])
        resumed = [other.step(torch.ones(4, 1)).obs["camera"] for _ in range(3)]
    assert all(map(torch.equal, going_on, resumed))


def test_a_fallen_pole_ends_the_episode(env: TaskEnv[Any]) -> None:
    place(env, [[0.0, 0.9], [0.0, 1.1], [0.0, -1.1], [2.1, 0.0]])
    result = env.step(torch.zeros(4, 1))
    assert result.terminated.tolist() == [False, True, True, True]
    assert float(result.metrics["Episode_Termination/pole_fell"]) == pytest.approx(2 / 3)
    state = env.task.view(env._frame())
    assert not has_fallen(state, limit=3.2).any()
    torch.testing.assert_close(pose(state), env.sim.state.qpos)


def test_more_colours_and_more_pictures_are_more_channels() -> None:
    with closing(make(replace(CFG, camera=replace(CFG.camera, colour="rgb", frames=3)))) as env:
        assert env.observation_spec["camera"] == (9, 24, 64)
        images = env.policy_contract()["images"]["camera"]
        assert (images["frames"], images["channels"], images["colour"]) == (3, 3, "rgb")


def test_a_closed_environment_has_closed_its_camera() -> None:
    env = make()
    env.close()
    with pytest.raises(Exception, match="after close"):
        env.task.images["camera"].camera(torch.zeros(1, 2))


def test_the_actor_sees_pictures_and_the_critic_knows_the_state(env: TaskEnv[Any]) -> None:
    algorithm = build_algorithm(env, TASK.agents["ppo"](), env.device)
    assert algorithm.actor.inputs.images == {"camera": (2, 24, 64)}
    assert algorithm.networks["critic"].inputs.groups == ("critic",)
    assert algorithm.act(env.reset(0)).shape == (4, 1)
