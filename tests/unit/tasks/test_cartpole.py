"""The tutorial task."""

from __future__ import annotations

import math

import torch

from fleetfoot.envs.task import Frame
from fleetfoot.sim.simulator import SimState
from fleetfoot.tasks.cartpole import TASK, CartpoleEnvCfg, is_out_of_bounds, view


def frame(cart: float, pole: float) -> Frame:
    sim = SimState.before_first_step(
        torch.tensor([[cart, pole]]), torch.tensor([[0.5, -0.5]]), num_actuators=1, num_sensors=0
    )
    none = torch.zeros(1, 0)
    return Frame(sim=sim, actions=none, previous_actions=none, command=none, memory={}, constants={}, lesson={})


def test_the_pole_angle_is_to_upright() -> None:
    state = view(frame(1.0, 2.0 * math.pi + 0.25))
    assert abs(float(state.pole_pos) - 0.25) < 1e-6
    assert (float(state.cart_vel), float(state.pole_vel)) == (0.5, -0.5)


def test_bounds() -> None:
    assert not is_out_of_bounds(view(frame(2.9, 0.0)), limit=3.0)
    assert is_out_of_bounds(view(frame(-3.1, 0.0)), limit=3.0)


def test_first_reward_by_hand() -> None:
    env = TASK.make_env(CartpoleEnvCfg(), device="cpu", seed=3)
    result = env.step(torch.zeros(256, 1))
    pole, pole_vel, _, cart_vel = result.obs["policy"].unbind(dim=1)
    expected = (1.0 - pole.square() - 0.01 * cart_vel.abs() - 0.005 * pole_vel.abs()) / 60
    torch.testing.assert_close(result.reward, expected)
    assert env.max_episode_length == 300
    env.close()
