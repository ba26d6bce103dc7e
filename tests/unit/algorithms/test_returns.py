import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetfoot.algorithms.returns import (
    compute_gae,
    join_advantages,
    normalize_advantages,
    running_sums,
    successor_values,
)

R = [1.0, 2.0, 3.0]  # rewards
V = [0.5, 1.5, 2.5]  # values of the states they were got in
LAST = 4.0  # value of the state after them
G, L = 0.9, 0.8


def column(numbers, dtype=torch.float32) -> torch.Tensor:
    """One environment, `[T, 1]`."""
    return torch.tensor(numbers, dtype=dtype)[:, None]


def gae(next_values, terminated=(), truncated=(), gamma=G, lam=L) -> tuple[list[float], list[float]]:
    flags = [column([t in where for t in range(3)], torch.bool) for where in (terminated, truncated)]
    advantages, returns = compute_gae(column(R), column(V), column(next_values), *flags, gamma=gamma, lam=lam)
    return advantages[:, 0].tolist(), returns[:, 0].tolist()


def test_an_episode_that_goes_on():
    d2 = 3.0 + 0.9 * 4.0 - 2.5  # 4.1
    d1 = 2.0 + 0.9 * 2.5 - 1.5  # 2.75
    d0 = 1.0 + 0.9 * 1.5 - 0.5  # 1.85
    a2 = d2  # 4.1
    a1 = d1 + 0.9 * 0.8 * a2  # 5.702
    a0 = d0 + 0.9 * 0.8 * a1  # 5.95544
    advantages, returns = gae([1.5, 2.5, 4.0])
    assert advantages == pytest.approx([a0, a1, a2])
    assert advantages == pytest.approx([5.95544, 5.702, 4.1])
    assert returns == pytest.approx([6.45544, 7.202, 6.6])


def test_nothing_flows_back_over_a_fall():
    # step 1 ended in a fall: its state is worth nothing, and step 2 belongs to another episode
    a2 = 3.0 + 0.9 * 4.0 - 2.5  # 4.1
    a1 = 2.0 - 1.5  # 0.5
    a0 = 1.0 + 0.9 * 1.5 - 0.5 + 0.9 * 0.8 * a1  # 2.21
    advantages, returns = gae([1.5, 2.5, 4.0], terminated=(1,))
    assert advantages == pytest.approx([a0, a1, a2])
    assert returns == pytest.approx([2.71, 2.0, 6.6])


def test_an_episode_that_was_cut_is_worth_its_final_state():
    # step 1 was cut in a state worth 10; what follows belongs to another episode
    a2 = 3.0 + 0.9 * 4.0 - 2.5
    a1 = 2.0 + 0.9 * 10.0 - 1.5  # 9.5
    a0 = 1.0 + 0.9 * 1.5 - 0.5 + 0.9 * 0.8 * a1  # 8.69
    advantages, _ = gae([1.5, 10.0, 4.0], truncated=(1,))
    assert advantages == pytest.approx([a0, a1, a2])
    assert advantages == pytest.approx([8.69, 9.5, 4.1])


@pytest.mark.parametrize(("ended", "expected"), [("terminated", 3.0 - 2.5), ("truncated", 3.0 + 0.9 * 7.0 - 2.5)])
def test_the_last_step_may_end_an_episode(ended, expected):
    advantages, _ = gae([1.5, 2.5, 7.0], **{ended: (2,)})
    assert advantages[2] == pytest.approx(expected)


def test_without_lambda_it_is_the_error_of_one_step():
    assert gae([1.5, 2.5, 4.0], lam=0.0)[0] == pytest.approx([1.85, 2.75, 4.1])


def test_with_lambda_one_the_return_is_the_discounted_sum():
    r2 = 3.0 + 0.9 * 4.0  # 6.6
    r1 = 2.0 + 0.9 * r2  # 7.94
    r0 = 1.0 + 0.9 * r1  # 8.146
    assert gae([1.5, 2.5, 4.0], lam=1.0)[1] == pytest.approx([r0, r1, r2])


def test_without_discount_only_the_reward_counts():
    assert gae([1.5, 2.5, 4.0], gamma=0.0)[1] == pytest.approx(R)


def test_the_successor_is_the_next_value_and_at_the_end_the_last():
    values = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    never = torch.zeros(3, 2, dtype=torch.bool)
    following = successor_values(values, torch.tensor([4.0, 40.0]), torch.full((3, 2), torch.nan), never)
    assert following.tolist() == [[2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]


def test_the_successor_of_a_cut_is_the_final_value_there_and_nowhere_else():
    values = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    cut = torch.tensor([[True, False], [False, False], [False, True]])
    following = successor_values(values, torch.tensor([4.0, 40.0]), torch.full((3, 2), -7.0), cut)
    assert following.tolist() == [[-7.0, 20.0], [3.0, 30.0], [4.0, -7.0]]


def naive(rewards, values, next_values, terminated, truncated, gamma, lam) -> list[float]:
    """One environment at a time, in double precision, episode by episode: `A[t] = sum_k (gamma lam)^k delta[t + k]`."""
    advantages = []
    for start in range(len(rewards)):
        total, weight = 0.0, 1.0
        for t in range(start, len(rewards)):
            worth = 0.0 if terminated[t] else next_values[t]
            total += weight * (rewards[t] + gamma * worth - values[t])
            if terminated[t] or truncated[t]:
                break
            weight *= gamma * lam
        advantages.append(total)
    return advantages


@st.composite
def rollouts(draw):
    steps, envs = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    rewards, values, next_values = (torch.randn(steps, envs, generator=generator) for _ in range(3))
    ends = torch.rand(steps, envs, generator=generator)
    return rewards, values, next_values, ends < 0.2, (ends >= 0.2) & (ends < 0.4)


@settings(max_examples=100, deadline=None)
@given(rollouts(), st.floats(0, 1), st.floats(0, 1))
def test_it_is_the_plain_sum_over_each_episode(rollout, gamma, lam):
    advantages, returns = compute_gae(*rollout, gamma=gamma, lam=lam)
    for n in range(advantages.shape[1]):
        expected = naive(*(x[:, n].tolist() for x in rollout), gamma, lam)
        assert advantages[:, n].tolist() == pytest.approx(expected, abs=1e-4)
    assert torch.equal(returns, advantages + rollout[1])


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.randoms(use_true_random=False))
def test_environments_in_another_order_give_results_in_that_order(rollout, random):
    order = list(range(rollout[0].shape[1]))
    random.shuffle(order)
    advantages, _ = compute_gae(*rollout, gamma=0.99, lam=0.95)
    permuted, _ = compute_gae(*(x[:, order] for x in rollout), gamma=0.99, lam=0.95)
    assert torch.equal(permuted, advantages[:, order])


@settings(max_examples=50, deadline=None)
@given(rollouts())
def test_an_environment_does_not_feel_the_others(rollout):
    alone, _ = compute_gae(*(x[:, :1] for x in rollout), gamma=0.99, lam=0.95)
    together, _ = compute_gae(*rollout, gamma=0.99, lam=0.95)
    torch.testing.assert_close(alone, together[:, :1], rtol=0, atol=0)


def test_normalised_by_hand():
    # mean 2, unbiased variance (1 + 0 + 1) / 2 = 1
    assert normalize_advantages(torch.tensor([1.0, 2.0, 3.0])).tolist() == pytest.approx([-1.0, 0.0, 1.0])


def test_equal_advantages_normalise_to_zero():
    assert normalize_advantages(torch.full((4,), 5.0)).tolist() == [0.0] * 4


def test_running_sums_go_on_from_what_came_before():
    """Discount 0.5: 1 + 0.5 * 4 = 3, 2 + 0.5 * 3 = 3.5."""
    rewards = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    sums = running_sums(rewards, torch.tensor([4.0, -2.0]), 0.5)
    assert sums.tolist() == [[3.0, -1.0], [3.5, 0.5]]


# --- groups of rewards


def test_each_group_is_estimated_by_itself(generator):
    rewards, values, next_values = torch.randn(3, 5, 4, 2, generator=generator).unbind()
    terminated = torch.rand(5, 4, generator=generator) < 0.2
    truncated = (torch.rand(5, 4, generator=generator) < 0.2) & ~terminated
    both = compute_gae(rewards, values, next_values, terminated[..., None], truncated[..., None], gamma=0.9, lam=0.8)
    for g in range(2):
        one = compute_gae(
            rewards[..., g], values[..., g], next_values[..., g], terminated, truncated, gamma=0.9, lam=0.8
        )
        assert torch.equal(both[0][..., g], one[0])
        assert torch.equal(both[1][..., g], one[1])


def test_joined_advantages_are_normalised_within_their_group_and_weighted():
    """Deviations of the mean by (-1, 0, 1) and (1, -1, 0): both of standard deviation 1."""
    advantages = torch.tensor([[[9.0, 400.0]], [[10.0, 200.0]], [[11.0, 300.0]]])
    joined = join_advantages(advantages, [2.0, 0.5])
    torch.testing.assert_close(joined, torch.tensor([[-2.0 + 0.5], [0.0 - 0.5], [2.0]]))
    torch.testing.assert_close(join_advantages(advantages * torch.tensor([1.0, 1e3]), [2.0, 0.5]), joined)
