"""Every clause of the contract, each broken by an environment that keeps all the others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from fleetfoot.core.check import check_actions, check_vec_env
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import ActionSpec
from fleetfoot.errors import ContractError


def changed(make_result: Callable, **attributes: Any):
    """A toy environment whose attributes are others, and whose every step result is passed through a function."""
    return Altered(ToyEnv(4, max_episode_length=8, terminate_after=(5,)), make_result, attributes)


def as_it_is(result):
    return result


class Altered:
    def __init__(self, env, make_result, attributes):
        self._env, self._make_result, self._attributes = env, make_result, attributes

    def __getattr__(self, name):
        return self._attributes[name] if name in self._attributes else getattr(self._env, name)

    def step(self, actions):
        return self._make_result(self._env.step(actions))

    def reset(self, seed=None):
        return self._attributes.get("make_obs", as_it_is)(self._env.reset(seed))


class AcceptsAnything(Altered):
    def step(self, actions):
        return self._env.step(torch.zeros(4, 1) + actions.float().mean())


class NeverEnds(Altered):
    def step(self, actions):
        self._env.episode_length.zero_()
        return self._env.step(actions)


class ForgetsSeed(Altered):
    def reset(self, seed=None):
        return self._env.reset()


class ForgetsItsState(Altered):
    def state_dict(self):
        return self._env.state_dict()

    def load_state_dict(self, state):
        return self._env.load_state_dict({**state, "x": state["x"] + 1.0})


class SharesItsMemory(Altered):
    """Hands out the same tensors in every step, with other numbers in them."""

    def step(self, actions):
        result = self._env.step(actions)
        shared = self._attributes["shared"]
        if "first" not in self._attributes:
            self._attributes["first"] = result
            return result
        kept, own = shared(self._attributes["first"]), shared(result)
        kept.copy_(own)
        return self._make_result(result, kept)


def sharing(shared: Callable, put: Callable):
    return SharesItsMemory(ToyEnv(4), put, {"shared": shared})


def with_obs(change: Callable, group: str = "policy"):
    return lambda result: replace(result, obs={**result.obs, group: change(result.obs[group])})


def with_final(change: Callable):
    return lambda r: replace(r, final_obs={**r.final_obs, "policy": change(r.final_obs["policy"])})


def a_nan(x: torch.Tensor) -> torch.Tensor:
    return torch.full_like(x, torch.nan)


BROKEN: dict[str, tuple[Any, str]] = {
    "no environment": (
        changed(as_it_is, num_envs=0),
        "num_envs: got 0; expected an integer of at least 1.",
    ),
    "a float number of environments": (changed(as_it_is, num_envs=4.0), "num_envs: got 4.0; expected an integer of"),
    "device as text": (changed(as_it_is, device="cpu"), "device: got cpu; expected a torch.device."),
    "no time passes": (changed(as_it_is, step_dt=0.0), "step_dt: got 0.0; expected a positive float [s]."),
    "endless episodes": (
        changed(as_it_is, max_episode_length=float("inf")),
        "max_episode_length: got inf; expected an integer of at least 1 [steps].",
    ),
    "episode counter as a list": (
        changed(as_it_is, episode_length=[0, 0, 0, 0]),
        "episode_length: got list; expected a tensor.",
    ),
    "episode counter of another type": (
        changed(as_it_is, episode_length=torch.zeros(4, dtype=torch.int32)),
        "episode_length.dtype: got torch.int32; expected torch.int64.",
    ),
    "episode counter of another size": (
        changed(as_it_is, episode_length=torch.zeros(3, dtype=torch.int64)),
        "episode_length.shape: got (3,); expected (4,).",
    ),
    "nothing observed": (
        changed(as_it_is, observation_spec={}),
        "observation_spec: got no group; expected at least one observation group.",
    ),
    "nothing to do": (
        changed(as_it_is, action_spec=ActionSpec(size=0)),
        "action_spec.size: got 0; expected at least 1.",
    ),
    "too many action names": (
        changed(as_it_is, action_spec=ActionSpec(size=1, names=("a", "b"))),
        "action_spec.names: got ('a', 'b'); expected 1 of them, one per action, or none.",
    ),
    "too many lower bounds": (
        changed(as_it_is, action_spec=ActionSpec(size=1, low=(0.0, 0.0))),
        "action_spec.low: got (0.0, 0.0); expected 1 of them",
    ),
    "no upper bound": (
        changed(as_it_is, action_spec=ActionSpec(size=1, high=())),
        "action_spec.high: got (); expected 1 of them",
    ),
    "reset gives a tensor": (
        changed(as_it_is, make_obs=lambda obs: obs["policy"]),
        "reset: got Tensor; expected a mapping of group name to tensor.",
    ),
    "reset gives the pair of gymnasium": (
        changed(as_it_is, make_obs=lambda obs: (obs, {})),
        "reset: got tuple; expected a mapping of group name to tensor.",
    ),
    "reset leaves a group out": (
        changed(as_it_is, make_obs=lambda obs: {"policy": obs["policy"]}),
        "reset: got groups ['policy']; expected the groups of observation_spec, ['critic', 'policy'].",
    ),
    "reset gives NaN": (
        changed(as_it_is, make_obs=lambda obs: {**obs, "policy": a_nan(obs["policy"])}),
        "reset['policy']: got NaN or infinity; expected finite numbers.",
    ),
    "wrong actions accepted": (
        AcceptsAnything(ToyEnv(4), as_it_is, {}),
        "step: got actions of shape (4, 2) accepted; expected a ContractError.",
    ),
    "group of another shape": (
        changed(with_obs(lambda x: x[:, :1])),
        "step().obs['policy'].shape: got (4, 1); expected (4, 2).",
    ),
    "group of another type": (
        changed(with_obs(lambda x: x.double(), "critic")),
        "step().obs['critic'].dtype: got torch.float64; expected torch.float32.",
    ),
    "group that is no tensor": (
        changed(with_obs(lambda x: x.numpy())),
        "step().obs['policy']: got ndarray; expected a tensor.",
    ),
    "group on another device": (
        changed(with_obs(lambda x: x.to("meta"))),
        "step().obs['policy'].device: got meta; expected cpu.",
    ),
    "an infinite observation": (
        changed(with_obs(lambda x: x / 0.0)),
        "step().obs['policy']: got NaN or infinity; expected finite numbers.",
    ),
    "reward with an axis too many": (
        changed(lambda r: replace(r, reward=r.reward[:, None])),
        "step().reward.shape: got (4, 1); expected (4,).",
    ),
    "reward of another type": (
        changed(lambda r: replace(r, reward=r.reward.double())),
        "step().reward.dtype: got torch.float64; expected torch.float32.",
    ),
    "a reward of NaN": (
        changed(lambda r: replace(r, reward=a_nan(r.reward))),
        "step().reward: got NaN or infinity; expected finite numbers.",
    ),
    "terminated as numbers": (
        changed(lambda r: replace(r, terminated=r.terminated.float())),
        "step().terminated.dtype: got torch.float32; expected torch.bool.",
    ),
    "truncated as integers": (
        changed(lambda r: replace(r, truncated=r.truncated.long())),
        "step().truncated.dtype: got torch.int64; expected torch.bool.",
    ),
    "terminated and truncated": (
        changed(lambda r: replace(r, truncated=r.truncated | r.terminated)),
        "step(): got terminated and truncated both true; expected at most one of them per environment.",
    ),
    "no final observation": (
        changed(lambda r: replace(r, final_obs=None)),
        "step().final_obs: got None; expected the observations before the reset, where an episode ended.",
    ),
    "final observation of another shape": (
        changed(with_final(lambda x: x[:1])),
        "step().final_obs['policy'].shape: got (1, 2); expected (4, 2).",
    ),
    "a metric per environment": (
        changed(lambda r: replace(r, metrics={"Metrics/x": r.reward})),
        "step().metrics['Metrics/x'].shape: got (4,); expected a scalar tensor [].",
    ),
    "episodes that cannot be moved on": (
        NeverEnds(ToyEnv(4, max_episode_length=8), as_it_is, {}),
        "episode_length: got no episode ended near its time limit; expected truncation at max_episode_length.",
    ),
    "a seed without effect": (
        ForgetsSeed(ToyEnv(4), as_it_is, {}),
        "reset(seed=0): got other numbers at step 0 of the same actions; expected the same numbers, bit for bit.",
    ),
    "a state that is not taken over": (
        ForgetsItsState(ToyEnv(4), as_it_is, {}),
        "load_state_dict: got other numbers at step 0 after it; expected the same numbers, bit for bit.",
    ),
    "memory of the observations used twice": (
        sharing(lambda r: r.obs["policy"], lambda r, x: replace(r, obs={**r.obs, "policy": x})),
        "step().obs['policy']: got overwritten by the next step; expected tensors that stay as they are.",
    ),
    "memory of the rewards used twice": (
        sharing(lambda r: r.reward, lambda r, x: replace(r, reward=x)),
        "step().reward: got overwritten by the next step; expected tensors that stay as they are.",
    ),
    "memory of the final observations used twice": (
        sharing(lambda r: r.final_obs["critic"], lambda r, x: replace(r, final_obs={**r.final_obs, "critic": x})),
        "step().final_obs['critic']: got overwritten by the next step; expected tensors that stay as they are.",
    ),
    "memory of a metric used twice": (
        sharing(lambda r: r.metrics["Metrics/distance"], lambda r, x: replace(r, metrics={"Metrics/distance": x})),
        "step().metrics['Metrics/distance']: got overwritten by the next step; expected tensors that stay as they are.",
    ),
    "groups of the reward that nothing declares": (
        changed(lambda r: replace(r, reward_groups={"goal": r.reward})),
        "step().reward_groups: got groups ['goal']; expected those of reward_groups, [].",
    ),
    "a group of the reward left out": (
        changed(lambda r: replace(r, reward_groups={"goal": r.reward}), reward_groups=("goal", "effort")),
        "step().reward_groups: got groups ['goal']; expected those of reward_groups, ['effort', 'goal'].",
    ),
    "a group of the reward of another shape": (
        changed(lambda r: replace(r, reward_groups={"goal": r.reward[:2]}), reward_groups=("goal",)),
        "step().reward_groups['goal'].shape: got (2,); expected (4,).",
    ),
    "memory of a group of the reward used twice": (
        SharesItsMemory(
            Altered(
                ToyEnv(4),
                lambda r: replace(r, reward_groups={"goal": r.reward.clone()}),
                {"reward_groups": ("goal",)},
            ),
            lambda r, x: replace(r, reward_groups={"goal": x}),
            {"shared": lambda r: r.reward_groups["goal"]},
        ),
        "step().reward_groups['goal']: got overwritten by the next step; expected tensors that stay as they are.",
    ),
    "a metric as a number": (
        changed(lambda r: replace(r, metrics={"Metrics/x": 1.0})),
        "step().metrics['Metrics/x']: got float; expected a scalar tensor [].",
    ),
}


def test_the_toy_environment_keeps_the_contract():
    check_vec_env(ToyEnv(5, max_episode_length=4, terminate_after=(3,)))


def test_the_wrapper_of_these_tests_breaks_nothing_by_itself():
    check_vec_env(changed(as_it_is))


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_clause_is_named(case):
    env, message = BROKEN[case]
    with pytest.raises(ContractError) as caught:
        check_vec_env(env, num_steps=16)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (torch.zeros(4, 3), "step(actions).shape: got (4, 3); expected (4, 1): [N, A]."),
        (torch.zeros(4), "step(actions).shape: got (4,); expected (4, 1): [N, A]."),
        (torch.zeros(4, 1).int(), "step(actions).dtype: got torch.int32; expected a floating point type."),
        (torch.zeros(4, 1, device="meta"), "step(actions).device: got meta; expected cpu."),
    ],
)
def test_actions_that_do_not_fit_are_named(actions, message):
    with pytest.raises(ContractError) as caught:
        check_actions(ToyEnv(4), actions)
    assert str(caught.value) == message


def test_checking_is_not_noticed_by_the_global_generator():
    before = torch.get_rng_state()
    check_vec_env(ToyEnv(2))
    assert torch.equal(torch.get_rng_state(), before)
