from types import SimpleNamespace

import pytest
import torch

from fleetfoot.compat.vec_env import Adapter, observe, step_dt_of
from fleetfoot.core.check import check_result, check_start
from fleetfoot.errors import ContractError

SPEC = {"policy": (3,), "more": (1,)}


def adapt(env, **options):
    return Adapter(env, "cpu", SPEC, **options)


def act(env):
    return env.step(torch.zeros(4, 2))


def test_it_is_an_environment_of_ours(theirs):
    env = adapt(theirs)
    check_start(env, env.reset(7))
    check_result(env, act(env))
    assert theirs.num_steps == 1
    assert (env.max_episode_length, env.action_spec.size) == (5, 2)


def test_an_episode_that_ends_is_truncated_where_they_say_so_and_else_terminated(theirs):
    said = {"time_outs": torch.tensor([1.0, 0.0, 1.0, 0.0])}
    theirs.step = lambda actions: (theirs.obs, torch.ones(4), torch.tensor([1, 1, 0, 0]), said)
    result = act(adapt(theirs))
    assert result.truncated.tolist() == [True, False, False, False]
    assert result.terminated.tolist() == [False, True, False, False]
    assert result.final_obs is None
    del said["time_outs"]
    result = act(adapt(theirs))
    assert result.truncated.tolist() == [False] * 4
    assert result.terminated.tolist() == [True, True, False, False]


def test_types_are_ours(theirs):
    theirs.obs = {"policy": torch.zeros(4, 3, dtype=torch.float64), "more": torch.ones(4, 1, dtype=torch.uint8)}
    theirs.step = lambda actions: (theirs.obs, torch.ones(4).double(), torch.zeros(4), {})
    check_result(adapt(theirs), act(adapt(theirs)))


def test_what_is_said_keeps_its_values_and_is_below_episode_if_it_is_below_nothing(theirs):
    env = adapt(theirs)
    first, second = act(env).metrics, act(env).metrics
    assert {tag: value.item() for tag, value in first.items()} == {"Episode/distance": 1.0, "Term/lost": 0.25}
    assert second["Episode/distance"].item() == 2.0


def test_what_is_said_of_episodes_goes_before_the_rest(theirs):
    said = {"episode": {"a": torch.tensor([1.0, 3.0]), "b": torch.ones(0)}, "log": {"c": 1.0}}
    theirs.step = lambda actions: (theirs.obs, torch.ones(4), torch.zeros(4), said)
    assert {tag: value.item() for tag, value in act(adapt(theirs)).metrics.items()} == {"Episode/a": 2.0}


def test_writing_into_episode_lengths_moves_their_environments(theirs):
    env = adapt(theirs)
    env.episode_length.copy_(torch.tensor([4, 3, 2, 1]))
    assert act(env).truncated.tolist() == [True, False, False, False]


def test_the_longest_of_many_episode_lengths_counts(theirs):
    theirs.max_episode_length = torch.tensor([3, 9, 4, 4])
    assert adapt(theirs).max_episode_length == 9


def test_no_step_builds_a_graph(theirs):
    weight = torch.ones(2, requires_grad=True)
    theirs.step = lambda actions: (theirs.obs, (actions * weight).sum(-1), torch.zeros(4), {})
    assert not act(adapt(theirs)).reward.requires_grad


def test_what_is_nested_is_left_out(theirs):
    assert observe(theirs, "cpu").keys() == {"policy", "more"}


@pytest.mark.parametrize("obs", [torch.zeros(4, 3), (torch.zeros(4, 3), {})])
def test_environments_of_before_version_3_are_refused(theirs, obs):
    theirs.get_observations = lambda: obs
    with pytest.raises(ContractError, match=r"get_observations\(\): got (Tensor|tuple); expected a TensorDict"):
        observe(theirs, "cpu")


def test_actions_of_another_shape_are_refused(theirs):
    with pytest.raises(ContractError, match="step"):
        adapt(theirs).step(torch.zeros(4, 3))


def test_the_duration_of_a_step_is_looked_for_where_rsl_rl_does(theirs):
    assert step_dt_of(theirs) is None
    theirs.unwrapped = SimpleNamespace(step_dt=0.02)
    assert step_dt_of(theirs) == adapt(theirs).step_dt == 0.02
