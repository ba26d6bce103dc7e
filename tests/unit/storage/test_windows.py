import pytest
import torch

from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.distributions import Gaussian
from fleetfoot.storage.rollout import RolloutBuffer
from fleetfoot.storage.windows import first_state, windows

T, N = 5, 3
ALL = torch.arange(N)


def grid(t: int) -> torch.Tensor:
    """What identifies step `t` of environment `n`: 10 t + n, `[N, 1]`."""
    return torch.tensor([[10.0 * t + n] for n in range(N)])


@pytest.fixture
def rollout():
    """Environment 0 ends in step 1 and is cut in step 4, environment 2 is cut in step 0."""
    one = torch.zeros(1, 1)
    buffer = RolloutBuffer(
        T, N, T, {"policy": (1,)}, (), Gaussian(one, one), (torch.zeros(1, 1, 2),), torch.device("cpu")
    )
    for t in range(T):
        memory = torch.tensor([[[100.0 * t + n] * 2 for n in range(N)]])
        buffer.add_decision({"policy": grid(t)}, (memory,), grid(t), Gaussian(grid(t) + 0.5, grid(t) + 0.25))
        buffer.add_outcome(
            StepResult(
                obs={},
                reward=grid(t)[:, 0],
                terminated=torch.tensor([t == 1, False, False]),
                truncated=torch.tensor([t == 4, False, t == 0]),
                final_obs=None,
            )
        )
    return buffer


@pytest.mark.parametrize(
    ("length", "steps"),
    [
        (1, [[0], [1], [2], [3], [4]]),
        (2, [[0, 1], [2, 3], [4]]),
        (3, [[0, 1, 2], [3, 4]]),
        (5, [[0, 1, 2, 3, 4]]),
        (99, [[0, 1, 2, 3, 4]]),
    ],
)
def test_windows_follow_each_other_and_none_is_lost(rollout, length, steps):
    seen = [(window.obs["policy"][:, 0, 0] / 10).tolist() for window in windows(rollout, length, ALL)]
    assert seen == steps


@pytest.mark.parametrize(("begun", "steps"), [(1, [[0, 1], [2, 3, 4]]), (2, [[0], [1, 2, 3], [4]])])
def test_a_first_window_that_has_begun_elsewhere_is_completed(rollout, begun, steps):
    seen = [(window.obs["policy"][:, 0, 0] / 10).tolist() for window in windows(rollout, 3, ALL, begun)]
    assert seen == steps


def test_the_members_of_a_window_belong_together(rollout):
    for window in windows(rollout, 2, torch.tensor([2, 0])):
        assert (window.obs["policy"][0, :, 0] % 10).tolist() == [2.0, 0.0]
        assert torch.equal(window.distribution.mean, window.obs["policy"] + 0.5)
        assert torch.equal(window.distribution.std, window.obs["policy"] + 0.25)


def test_an_episode_that_begins_is_known_also_at_the_start_of_a_window(rollout):
    resets = [window.reset.tolist() for window in windows(rollout, 2, ALL)]
    assert resets == [
        [[False, False, False], [False, False, True]],
        [[True, False, False], [False, False, False]],  # carried over from step 1, the last of the window before
        [[False, False, False]],
    ]


def test_the_first_step_never_resets_the_memory_that_is_stored_with_it(rollout):
    assert rollout.done[-1].any()
    assert not next(iter(windows(rollout, 2, ALL))).reset[0].any()


def test_the_memory_is_that_of_before_the_first_step(rollout):
    (memory,) = first_state(rollout, torch.tensor([2, 0]))
    assert memory.tolist() == [[[2.0, 2.0], [0.0, 0.0]]]
