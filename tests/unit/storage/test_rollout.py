import pytest
import torch

from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.distributions import Gaussian
from fleetfoot.storage.rollout import Batch, RolloutBuffer, in_sequences, mini_batches

T, N, A = 3, 2, 2
CPU = torch.device("cpu")


def number(t: int, n: int) -> float:
    """What identifies step `t` of environment `n`: 100 t + n."""
    return 100.0 * t + n


def rows(t: int, width: int, offset: float) -> torch.Tensor:
    """`[N, width]`, told apart by step, environment, column (0.1 each) and offset (thousands)."""
    return torch.tensor([[offset + number(t, n) + 0.1 * column for column in range(width)] for n in range(N)])


def fill(buffer: RolloutBuffer, steps=range(T), *, ended: tuple[int, ...] = ()) -> None:
    for t in steps:
        obs = {"policy": rows(t, 3, 0.0), "critic": rows(t, 1, 1000.0), "unused": rows(t, 9, 9000.0)}
        buffer.add_decision(obs, (), rows(t, A, 2000.0), Gaussian(rows(t, A, 3000.0), rows(t, A, 4000.0)))
        buffer.add_outcome(
            StepResult(
                obs={},
                reward=rows(t, 1, 5000.0)[:, 0],
                terminated=torch.tensor([t == 0, False]),
                truncated=torch.tensor([False, t == 2]),
                final_obs={"policy": rows(t, 3, 6000.0), "critic": rows(t, 1, 7000.0)} if t in ended else None,
            )
        )


def make_buffer(sequence_length: int, *, state_size: int = 0) -> RolloutBuffer:
    one = torch.zeros(1, A)
    state = (torch.zeros(2, 1, state_size),) if state_size else ()
    groups = {"policy": (3,), "critic": (1,)}
    return RolloutBuffer(T, N, sequence_length, groups, ("critic",), Gaussian(one, one), state, CPU)


@pytest.fixture
def buffer():
    return make_buffer(1)


def all_samples(buffer: RolloutBuffer) -> Batch:
    grid = torch.tensor([[number(t, n) for n in range(N)] for t in range(T)])
    return buffer.sequences(grid, grid + 0.25, grid + 0.5, grid + 0.75, ())


def test_everything_lies_where_its_step_and_environment_say(buffer):
    fill(buffer)
    for t in range(T):
        assert torch.equal(buffer.obs["policy"][t], rows(t, 3, 0.0))
        assert torch.equal(buffer.obs["critic"][t], rows(t, 1, 1000.0))
        assert torch.equal(buffer.actions[t], rows(t, A, 2000.0))
        assert torch.equal(buffer.distribution.mean[t], rows(t, A, 3000.0))
        assert torch.equal(buffer.distribution.std[t], rows(t, A, 4000.0))
        assert torch.equal(buffer.rewards[t], rows(t, 1, 5000.0)[:, 0])
    assert buffer.terminated.tolist() == [[True, False], [False, False], [False, False]]
    assert buffer.truncated.tolist() == [[False, False], [False, False], [False, True]]


def test_only_the_groups_that_are_read_are_kept(buffer):
    assert set(buffer.obs) == {"policy", "critic"}
    assert set(buffer.final_obs) == {"critic"}


def test_final_observations_are_written_only_where_they_are_given(buffer):
    fill(buffer, ended=(1,))
    assert torch.equal(buffer.final_obs["critic"][1], rows(1, 1, 7000.0))
    assert not buffer.final_obs["critic"][0].any()
    assert not buffer.final_obs["critic"][2].any()


def test_what_is_stored_does_not_follow_the_tensors_it_came_from(buffer):
    actions = torch.ones(N, A)
    obs = {"policy": torch.ones(N, 3), "critic": torch.ones(N, 1)}
    buffer.add_decision(obs, (), actions, Gaussian(actions, actions))
    actions.zero_()
    assert buffer.actions[0].eq(1).all()


def test_samples_are_time_major(buffer):
    fill(buffer)
    samples = all_samples(buffer)
    assert samples.log_probs[0].tolist() == [0.0, 1.0, 100.0, 101.0, 200.0, 201.0]


def test_the_members_of_a_sample_belong_together(buffer):
    fill(buffer)
    samples = all_samples(buffer)
    for i, identity in enumerate([0.0, 1.0, 100.0, 101.0, 200.0, 201.0]):
        assert samples.obs["policy"][0, i, 0] == identity
        assert samples.obs["critic"][0, i, 0] == 1000 + identity
        assert samples.actions[0, i, 0] == 2000 + identity
        assert samples.distribution.mean[0, i, 0] == 3000 + identity
        assert samples.distribution.std[0, i, 0] == 4000 + identity
        assert samples.values[0, i] == identity + 0.25
        assert samples.advantages[0, i] == identity + 0.5
        assert samples.returns[0, i] == identity + 0.75


def test_it_is_full_after_its_last_step(buffer):
    fill(buffer, range(T - 1))
    assert not buffer.is_full
    fill(buffer, [T - 1])
    assert buffer.is_full


def test_one_step_too_many_is_refused(buffer):
    fill(buffer)
    with pytest.raises(AssertionError, match=r"clear\(\) it first"):
        fill(buffer, [0])


def test_cleared_it_takes_a_rollout_in_the_same_memory(buffer):
    fill(buffer)
    memory = buffer.obs["policy"].data_ptr()
    buffer.clear()
    assert not buffer.is_full
    fill(buffer)
    assert buffer.is_full
    assert buffer.obs["policy"].data_ptr() == memory


# --- mini-batches


def test_selecting_keeps_the_members_of_a_sample_together(buffer):
    fill(buffer)
    selected = all_samples(buffer).select(torch.tensor([4, 1]))
    assert selected.log_probs[0].tolist() == [200.0, 1.0]
    assert selected.obs["policy"][0, :, 0].tolist() == [200.0, 1.0]
    assert selected.obs["critic"][0, :, 0].tolist() == [1200.0, 1001.0]
    assert selected.actions[0, :, 0].tolist() == [2200.0, 2001.0]
    assert selected.distribution.mean[0, :, 0].tolist() == [3200.0, 3001.0]
    assert selected.distribution.std[0, :, 0].tolist() == [4200.0, 4001.0]
    assert selected.values[0].tolist() == [200.25, 1.25]
    assert selected.advantages[0].tolist() == [200.5, 1.5]
    assert selected.returns[0].tolist() == [200.75, 1.75]


@pytest.mark.parametrize("num", [1, 2, 3, 6])
def test_mini_batches_are_the_sequences_in_the_order_given(buffer, num):
    fill(buffer)
    order = torch.tensor([5, 0, 3, 2, 4, 1])
    batches = list(mini_batches(all_samples(buffer), num, order))
    assert [len(batch) for batch in batches] == [6 // num] * num
    said = [x for batch in batches for x in batch.log_probs[0].tolist()]
    assert said == [201.0, 0.0, 101.0, 100.0, 200.0, 1.0]


def test_an_order_may_leave_some_out(buffer):
    fill(buffer)
    batches = list(mini_batches(all_samples(buffer), 2, torch.tensor([5, 0, 3, 2])))
    assert [batch.log_probs[0].tolist() for batch in batches] == [[201.0, 0.0], [101.0, 100.0]]


# --- sequences


def test_sequences_are_pieces_of_the_rollout():
    rollout = torch.tensor([[10 * t + n for n in range(N)] for t in range(4)])
    assert in_sequences(rollout, 1).tolist() == [[0, 1, 10, 11, 20, 21, 30, 31]]
    assert in_sequences(rollout, 2).tolist() == [[0, 1, 20, 21], [10, 11, 30, 31]]
    assert in_sequences(rollout, 4).tolist() == [[0, 1], [10, 11], [20, 21], [30, 31]]


@pytest.mark.parametrize("length", [1, 4])
def test_single_steps_and_whole_rollouts_are_not_copied(length):
    rollout = torch.zeros(4, N, 3)
    assert in_sequences(rollout, length).data_ptr() == rollout.data_ptr()


def test_a_sequence_forgets_where_an_episode_begins_inside_of_it():
    buffer = make_buffer(T)
    fill(buffer)  # environment 0 ends in step 0, environment 1 in step 2
    assert all_samples(buffer).reset.tolist() == [[False, False], [True, False], [False, False]]


def test_no_sequence_forgets_at_its_start(buffer):
    fill(buffer)
    assert not all_samples(buffer).reset.any()


@pytest.mark.parametrize(("length", "begins"), [(1, [0, 1, 2]), (3, [0])])
def test_a_sequence_has_the_memory_from_before_it(length, begins):
    """Two layers of three numbers: layer `l` before step `t` of environment `n` holds `100 t + n + 0.5 l`."""
    buffer = make_buffer(length, state_size=3)
    for t in range(T):
        state = torch.tensor([[[number(t, n) + 0.5 * layer] * 3 for n in range(N)] for layer in range(2)])
        obs = {"policy": torch.zeros(N, 3), "critic": torch.zeros(N, 1)}
        zeros = torch.zeros(N, A)
        buffer.add_decision(obs, (state,), zeros, Gaussian(zeros, zeros))
        buffer.add_outcome(StepResult(obs={}, reward=zeros[:, 0], terminated=zeros[:, 0] > 0, truncated=zeros[:, 0] > 0,
                                      final_obs=None))  # fmt: skip
    (memory,) = all_samples(buffer).actor_state
    assert memory.shape == (2, len(begins) * N, 3)
    for layer in range(2):
        assert memory[layer, :, 0].tolist() == [number(t, n) + 0.5 * layer for t in begins for n in range(N)]


# --- groups of rewards


def add_step(buffer: RolloutBuffer, t: int, **groups: float) -> None:
    zeros = torch.zeros(N, A)
    never = torch.zeros(N, dtype=torch.bool)
    buffer.add_decision({"policy": torch.zeros(N, 3), "critic": torch.zeros(N, 1)}, (), zeros, Gaussian(zeros, zeros))
    buffer.add_outcome(
        StepResult(
            obs={},
            reward=rows(t, 1, 0.0)[:, 0],
            terminated=never,
            truncated=never,
            final_obs=None,
            reward_groups={name: rows(t, 1, offset)[:, 0] for name, offset in groups.items()},
        )
    )


def test_what_the_rewards_are_made_of_is_kept(buffer):
    for t in range(T):
        add_step(buffer, t, goal=1000.0, effort=2000.0)
    assert list(buffer.group_rewards) == ["goal", "effort"]
    for name, offset in (("goal", 1000.0), ("effort", 2000.0)):
        expected = torch.stack([rows(t, 1, offset)[:, 0] for t in range(T)])
        assert torch.equal(buffer.group_rewards[name], expected)


def test_a_reward_without_groups_is_one(buffer):
    for t in range(T):
        add_step(buffer, t)
    assert list(buffer.group_rewards) == ["task"]
    assert torch.equal(buffer.group_rewards["task"], buffer.rewards)
