"""The environment over a simulator, on the cartpole: it has no memory to hide mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mujoco
import pytest
import torch
from torch import Tensor

from fleetfoot.core.check import check_vec_env
from fleetfoot.envs.task import Command, Curriculum, Frame, IntervalEvent, Memory, ObsTerm, TerminationTerm
from fleetfoot.envs.task_env import TaskEnv
from fleetfoot.errors import ContractError
from fleetfoot.sim.batch import MujocoBatch
from fleetfoot.sim.simulator import Simulator
from fleetfoot.tasks.cartpole import CartpoleEnvCfg, make_task


def make(num_envs: int = 4, **changes: Any) -> TaskEnv[Any]:
    task = replace(make_task(CartpoleEnvCfg(), "cpu"), **changes)
    return TaskEnv(task, MujocoBatch(mujoco.MjModel.from_xml_string(task.scene), num_envs, num_threads=1), seed=0)


def test_keeps_the_contract() -> None:
    check_vec_env(make(8))


@pytest.mark.parametrize(
    ("actions", "clause"),
    [
        (torch.zeros(4, 2), "shape"),
        (torch.zeros(5, 1), "shape"),
        (torch.zeros(4, 1, dtype=torch.int64), "dtype"),
        (torch.zeros(4, 1, device="meta"), "device"),
    ],
)
def test_wrong_actions_are_refused_before_anything_moves(actions: Tensor, clause: str) -> None:
    env = make()
    before = env.state_dict()["sim"]["rows"]
    with pytest.raises(ContractError, match=clause):
        env.step(actions)
    assert torch.equal(env.state_dict()["sim"]["rows"], before)


def test_no_final_observations_while_no_episode_ends() -> None:
    assert make().step(torch.zeros(4, 1)).final_obs is None


def test_final_observations_are_those_before_the_reset() -> None:
    env = make()
    env.episode_length[2] = env.max_episode_length - 1
    result = env.step(torch.zeros(4, 1))
    assert result.truncated.tolist() == [False, False, True, False]
    assert not result.terminated.any()
    assert result.final_obs is not None
    same = (result.final_obs["policy"] == result.obs["policy"]).all(dim=1)
    assert same.tolist() == [True, True, False, True]
    assert env.episode_length.tolist() == [1, 1, 0, 1]
    assert float(result.metrics["Episode_Termination/time_out"]) == 1.0
    assert "Episode_Reward/alive" in result.metrics


def test_leaving_the_rail_terminates_even_at_the_time_limit() -> None:
    env = make()
    env.episode_length[0] = env.max_episode_length - 1
    env.sim.write_state(torch.tensor([0]), torch.tensor([[3.5, 0.0]]), torch.zeros(1, 2))
    result = env.step(torch.zeros(4, 1))
    assert result.terminated.tolist() == [True, False, False, False]
    assert not result.truncated.any()
    assert float(result.metrics["Episode_Termination/cart_out_of_bounds"]) == 1.0


def test_why_episodes_ended_is_a_share_of_those_that_did() -> None:
    env = make()
    env.episode_length[:3] = env.max_episode_length - 1
    env.sim.write_state(torch.tensor([0]), torch.tensor([[3.5, 0.0]]), torch.zeros(1, 2))
    metrics = env.step(torch.zeros(4, 1)).metrics
    assert float(metrics["Episode_Termination/time_out"]) == pytest.approx(2 / 3)
    assert float(metrics["Episode_Termination/cart_out_of_bounds"]) == pytest.approx(1 / 3)


def test_reasons_add_up_to_one_also_where_an_episode_ends_for_two_at_once() -> None:
    far = TerminationTerm(name="far", fn=lambda s: s.cart_pos > 3.2)
    env = make(terminations=(*make_task(CartpoleEnvCfg(), "cpu").terminations, far))
    env.episode_length[:2] = env.max_episode_length - 1
    env.sim.write_state(torch.tensor([2, 3]), torch.tensor([[3.5, 0.0], [-3.5, 0.0]]), torch.zeros(2, 2))
    metrics = env.step(torch.zeros(4, 1)).metrics
    shares = {tag.partition("/")[2]: float(value) for tag, value in metrics.items() if tag.startswith("Episode_Te")}
    assert shares == {"time_out": 0.5, "cart_out_of_bounds": 0.375, "far": 0.125, "sim_failure": 0.0}


def test_an_action_that_is_no_number_ends_only_its_episode() -> None:
    env = make()
    result = env.step(torch.tensor([[0.0], [torch.nan], [0.0], [0.0]]))
    assert result.terminated.tolist() == [False, True, False, False]
    assert float(result.metrics["Sim/failures"]) == 1.0
    assert float(result.reward[1]) == 0.0
    assert result.reward.isfinite().all()
    assert result.final_obs is not None
    assert result.final_obs["policy"].isfinite().all()
    assert result.obs["policy"].isfinite().all()


def test_actions_are_clipped_before_they_are_scaled() -> None:
    actions = replace(make_task(CartpoleEnvCfg(), "cpu").actions, clip=0.5, offset=(1.0,))
    env = make(actions=actions)
    env.step(torch.tensor([[2.0], [-2.0], [0.25], [0.0]]))
    torch.testing.assert_close(env.sim.state.actuator_force[:, 0], torch.tensor([51.0, -49.0, 26.0, 1.0]))
    assert env.action_spec.high == (0.5,)


def test_memory_is_carried_on_and_forgotten_at_a_reset() -> None:
    # The view is the frame itself: what is remembered counts steps.
    def steps(frame: Frame) -> Tensor:
        return frame.memory["steps"]

    def one_more(frame: Frame) -> Tensor:
        return steps(frame) + 1.0

    env = make(
        2,
        view=lambda frame: frame,
        rewards=(),
        terminations=(),
        metrics={"Metrics/zero": lambda frame: frame.actions[:, 0]},
        memory={"steps": Memory(size=1, fn=one_more)},
        observations={"policy": (ObsTerm(name="steps", fn=steps, size=1),)},
    )
    seen = [env.step(torch.zeros(2, 1)).obs["policy"][0, 0].item() for _ in range(3)]
    env.episode_length[0] = env.max_episode_length - 1
    env.step(torch.zeros(2, 1))
    last = env.step(torch.zeros(2, 1)).obs["policy"][:, 0].tolist()
    assert seen == [0.0, 1.0, 2.0]
    assert last == [0.0, 4.0]


def test_the_reward_is_judged_by_the_command_that_was_seen() -> None:
    count = iter(range(100))

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return torch.full((n, 1), float(next(count)))

    def command(frame: Frame) -> Tensor:
        return frame.command

    env = make(
        2,
        view=lambda frame: frame,
        rewards=(),
        terminations=(),
        metrics={"Metrics/command": lambda frame: frame.command[:, 0]},
        command=Command(
            size=1,
            interval_s=(1 / 60, 1 / 60),
            sample=sample,
            resolve=lambda frame, targets: targets.clone(),
            rebind=lambda frame, command: replace(frame, command=command),
        ),
        observations={"policy": (ObsTerm(name="command", fn=command, size=1),)},
    )
    seen = env.reset()["policy"][0, 0].item()
    for _ in range(3):
        result = env.step(torch.zeros(2, 1))
        assert float(result.metrics["Metrics/command"]) == seen
        assert result.obs["policy"][0, 0].item() == seen + 1
        seen += 1


def test_events_happen_in_every_environment_after_their_interval() -> None:
    happened: list[list[int]] = []

    def note(sim: Simulator, ids: Tensor, generator: torch.Generator) -> None:
        happened.append(ids.tolist())

    env = make(events=(IntervalEvent(name="note", interval_s=(0.05, 0.05), apply=note),))
    for _ in range(7):
        env.step(torch.zeros(4, 1))
    assert happened == [[0, 1, 2, 3], [0, 1, 2, 3]]  # 0.05 s are three steps


def with_lessons(num_envs: int = 4, **changes: Any) -> TaskEnv[Any]:
    """Lessons are numbers: ten for each environment's own, one more after every episode, half of it where it begins."""

    def place(qpos: Tensor, lesson: Any) -> Tensor:
        return torch.stack((0.5 * lesson["number"], qpos[:, 1]), dim=1)

    curriculum = Curriculum[Frame](
        first=lambda n, generator: {"number": 10.0 * torch.arange(n)},
        next=lambda frame, generator: {"number": frame.lesson["number"] + 1.0 + 0.0 * frame.sim.qpos[:, 0]},
        place=place,
        metrics={"Curriculum/number": lambda lesson: lesson["number"].mean()},
    )
    return make(
        num_envs,
        view=lambda frame: frame,
        rewards=(),
        terminations=(),
        metrics={"Metrics/zero": lambda frame: frame.actions[:, 0]},
        observations={
            "policy": (
                ObsTerm(name="place", fn=lambda frame: frame.sim.qpos[:, :1], size=1),
                ObsTerm(name="number", fn=lambda frame: frame.lesson["number"][:, None], size=1),
            )
        },
        curriculum=curriculum,
        **changes,
    )


def test_the_next_lesson_comes_when_an_episode_has_ended_and_says_where_the_next_begins() -> None:
    env = with_lessons()
    assert env.reset()["policy"].tolist() == [[0.0, 0.0], [5.0, 10.0], [10.0, 20.0], [15.0, 30.0]]
    assert float(env.step(torch.zeros(4, 1)).metrics["Curriculum/number"]) == 15.0
    env.episode_length[2] = env.max_episode_length - 1
    result = env.step(torch.zeros(4, 1))
    assert result.obs["policy"][:, 1].tolist() == [0.0, 10.0, 21.0, 30.0]
    assert result.obs["policy"][2, 0] == 10.5
    assert result.final_obs is not None
    assert result.final_obs["policy"][2, 1] == 20.0  # that episode was still about the last one
    assert float(result.metrics["Curriculum/number"]) == 15.25


def test_where_the_simulation_fails_the_episode_ends_in_its_own_place() -> None:
    env = with_lessons()
    result = env.step(torch.tensor([[0.0], [torch.nan], [0.0], [0.0]]))
    assert result.final_obs is not None
    assert result.final_obs["policy"][1].tolist() == [5.0, 10.0]
    assert result.obs["policy"][1].tolist() == [5.5, 11.0]


def test_lessons_are_saved_and_begin_anew_with_a_seed() -> None:
    saved, other = with_lessons(), with_lessons()
    saved.episode_length[:2] = saved.max_episode_length - 1
    saved.step(torch.zeros(4, 1))
    obs = other.load_state_dict(saved.state_dict())
    assert obs["policy"][:, 1].tolist() == [1.0, 11.0, 20.0, 30.0]
    assert other.state_dict()["lesson"]["number"].tolist() == [1.0, 11.0, 20.0, 30.0]
    assert other.reset()["policy"][:, 1].tolist() == [1.0, 11.0, 20.0, 30.0]
    assert other.reset(seed=1)["policy"][:, 1].tolist() == [0.0, 10.0, 20.0, 30.0]


def test_a_state_of_another_number_of_environments_is_refused() -> None:
    with pytest.raises(ContractError, match="got 2 environments; expected 4"):
        make(4).load_state_dict(make(2).state_dict())


def test_a_state_goes_on_under_other_weights() -> None:
    saved = make()
    saved.step(torch.ones(4, 1))
    terms = {term.name: term for term in saved.task.rewards}
    rewards = (replace(terms["alive"], weight=0.0), replace(terms["terminating"], name="new"), terms["pole_pos"])
    other = make(rewards=rewards)
    other.step(torch.zeros(4, 1))
    state = saved.state_dict()
    other.load_state_dict(state)
    sums = other.state_dict()["reward_sums"]
    assert list(sums) == ["new", "pole_pos"]
    assert sums["new"].tolist() == [0.0] * 4
    assert torch.equal(sums["pole_pos"], state["reward_sums"]["pole_pos"])
    actions = torch.full((4, 1), -0.5)
    assert torch.equal(other.step(actions).obs["policy"], saved.step(actions).obs["policy"])


def test_a_clock_with_another_interval_begins_anew_and_one_with_the_same_goes_on() -> None:
    happened: list[str] = []

    def event(name: str, steps: int) -> IntervalEvent:
        return IntervalEvent(
            name=name, interval_s=(steps / 60, steps / 60), apply=lambda sim, ids, generator: happened.append(name)
        )

    saved = make(events=(event("same", 4), event("changed", 9), event("gone", 1)))
    saved.step(torch.zeros(4, 1))
    other = make(events=(event("same", 4), event("changed", 2), event("new", 5)))
    happened.clear()
    other.load_state_dict(saved.state_dict())
    for step in range(5):
        happened.append(str(step))
        other.step(torch.zeros(4, 1))
    # "same" had waited for a step; "changed" and "new" wait for 2 and 5 from now on.
    assert happened == ["0", "1", "changed", "2", "same", "3", "changed", "4", "new"]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2, r"^load_state_dict: memory\.steps: got shape \(4, 1\); expected shape \(4, 2\)\. Begin new episodes"),
        (0, r"^load_state_dict: memory\.steps: got shape \(4, 1\); expected nothing of that name\."),
    ],
)
def test_a_state_of_a_task_that_remembers_other_things_is_refused_before_anything_moves(
    size: int, message: str
) -> None:
    def remembering(size: int) -> TaskEnv[Any]:
        return make(memory={"steps": Memory(size=size, fn=lambda s: torch.zeros(4, size))} if size else {})

    saved, env = remembering(1), remembering(size)
    saved.step(torch.ones(4, 1))
    before = env.state_dict()["sim"]["rows"]
    with pytest.raises(ContractError, match=message):
        env.load_state_dict(saved.state_dict())
    assert torch.equal(env.state_dict()["sim"]["rows"], before)


def test_a_state_without_a_part_is_refused() -> None:
    env = make()
    state = env.state_dict()
    del state["actions"]
    with pytest.raises(ContractError, match=r"^load_state_dict: actions: got nothing; expected shape \(4, 1\)\."):
        env.load_state_dict(state)
    with pytest.raises(ContractError, match=r"^load_state_dict: reward_sums: got Tensor; expected one entry for each"):
        env.load_state_dict({**env.state_dict(), "reward_sums": torch.zeros(5, 4)})


def test_snapshot_is_a_copy() -> None:
    env = make()
    shot = env.snapshot(1)
    before = shot["qpos"].copy()
    env.step(torch.ones(4, 1))
    assert (shot["qpos"] == before).all()
    assert "command" not in shot
