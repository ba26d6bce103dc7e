import pytest
import torch

from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.distributions import Gaussian
from fleetfoot.storage.rollout import Batch, RolloutBuffer, shuffled_mini_batches

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
        buffer.add_decision(obs, rows(t, A, 2000.0), Gaussian(rows(t, A, 3000.0), rows(t, A, 4000.0)))
        buffer.add_outcome(
            StepResult(
                obs={},
                reward=rows(t, 1, 5000.0)[:, 0],
                terminated=torch.tensor([t == 0, False]),
                truncated=torch.tensor([False, t == 2]),
                final_obs={"policy": rows(t, 3, 6000.0), "critic": rows(t, 1, 7000.0)} if t in ended else None,
            )
        )


@pytest.fixture
def buffer():
    return RolloutBuffer(T, N, {"policy": (3,), "critic": (1,)}, ("critic",), A, CPU)


def all_samples(buffer: RolloutBuffer) -> Batch:
    grid = torch.tensor([[number(t, n) for n in range(N)] for t in range(T)])
    return buffer.samples(log_probs=grid, values=grid + 0.25, advantages=grid + 0.5, returns=grid + 0.75)


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
    buffer.add_decision({"policy": torch.ones(N, 3), "critic": torch.ones(N, 1)}, actions, Gaussian(actions, actions))
    actions.zero_()
    assert buffer.actions[0].eq(1).all()


def test_samples_are_time_major(buffer):
    fill(buffer)
    samples = all_samples(buffer)
    assert samples.log_probs.tolist() == [0.0, 1.0, 100.0, 101.0, 200.0, 201.0]


def test_the_members_of_a_sample_belong_together(buffer):
    fill(buffer)
    samples = all_samples(buffer)
    for i, identity in enumerate([0.0, 1.0, 100.0, 101.0, 200.0, 201.0]):
        assert samples.obs["policy"][i, 0] == identity
        assert samples.obs["critic"][i, 0] == 1000 + identity
        assert samples.actions[i, 0] == 2000 + identity
        assert samples.distribution.mean[i, 0] == 3000 + identity
        assert samples.distribution.std[i, 0] == 4000 + identity
        assert samples.values[i] == identity + 0.25
        assert samples.advantages[i] == identity + 0.5
        assert samples.returns[i] == identity + 0.75


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


def epoch(samples: Batch, num: int, generator) -> list[list[float]]:
    return [batch.log_probs.tolist() for batch in shuffled_mini_batches(samples, num, generator)]


def test_selecting_keeps_the_members_of_a_sample_together(buffer):
    fill(buffer)
    selected = all_samples(buffer).select(torch.tensor([4, 1]))
    assert selected.log_probs.tolist() == [200.0, 1.0]
    assert selected.obs["policy"][:, 0].tolist() == [200.0, 1.0]
    assert selected.obs["critic"][:, 0].tolist() == [1200.0, 1001.0]
    assert selected.actions[:, 0].tolist() == [2200.0, 2001.0]
    assert selected.distribution.mean[:, 0].tolist() == [3200.0, 3001.0]
    assert selected.distribution.std[:, 0].tolist() == [4200.0, 4001.0]
    assert selected.values.tolist() == [200.25, 1.25]
    assert selected.advantages.tolist() == [200.5, 1.5]
    assert selected.returns.tolist() == [200.75, 1.75]


@pytest.mark.parametrize("num", [1, 2, 3, 6])
def test_every_sample_comes_once_an_epoch(buffer, generator, num):
    fill(buffer)
    batches = epoch(all_samples(buffer), num, generator)
    assert [len(batch) for batch in batches] == [6 // num] * num
    assert sorted(x for batch in batches for x in batch) == [0.0, 1.0, 100.0, 101.0, 200.0, 201.0]


def test_every_epoch_has_an_order_of_its_own(buffer, generator):
    fill(buffer)
    orders = {tuple(x for batch in epoch(all_samples(buffer), 2, generator) for x in batch) for _ in range(20)}
    assert len(orders) > 10


def test_the_same_generator_gives_the_same_order(buffer):
    fill(buffer)
    one, other = (epoch(all_samples(buffer), 2, torch.Generator().manual_seed(8)) for _ in range(2))
    assert one == other
