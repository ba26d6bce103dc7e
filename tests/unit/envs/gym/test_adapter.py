"""Gymnasium's vector environments as ours: however they go on after an episode, what is learned from is the same."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from fleetfoot.core.check import check_vec_env
from fleetfoot.core.vec_env import VecEnv
from fleetfoot.envs.gym.adapter import GymnasiumEnv
from fleetfoot.envs.video import RenderedEnv
from fleetfoot.errors import ContractError, OutputError

MODES = list(AutoresetMode)


def _counting() -> Any:
    spec = importlib.util.spec_from_file_location("counting", Path(__file__).with_name("counting.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


counting = _counting()
LIMIT: int = counting.LIMIT


def sync(mode: AutoresetMode, ends_after: tuple[int, ...] = (2, 10**6), *, copy: bool = True, **kwargs: Any) -> Any:
    makers = [partial(counting.limited, ends, **kwargs) for ends in ends_after]
    return SyncVectorEnv(makers, autoreset_mode=mode, copy=copy)


def batch(mode: AutoresetMode, *, batched_final: bool = False) -> Any:
    return counting.Batch(mode, (2, 10**6), batched_final=batched_final)


KINDS = {
    **{f"sync {mode.value}": partial(sync, mode) for mode in MODES},
    "sync, no copies": partial(sync, AutoresetMode.DISABLED, copy=False),
    "batch Disabled": partial(batch, AutoresetMode.DISABLED),
    "batch SameStep": partial(batch, AutoresetMode.SAME_STEP),
    "batch SameStep, whole": partial(batch, AutoresetMode.SAME_STEP, batched_final=True),
}


def adapted(env: Any, **options: Any) -> GymnasiumEnv:
    return GymnasiumEnv(env, seed=0, **{"max_episode_length": LIMIT} | options)


@pytest.fixture(params=KINDS)
def env(request):
    with closing(adapted(KINDS[request.param]())) as made:
        yield made


def act(env: VecEnv, value: float = 0.5):
    return env.step(torch.full((env.num_envs, 1), value))


def test_every_kind_keeps_the_contract(env):
    check_vec_env(env)


def test_every_kind_tells_the_same_story(env):
    """The first environment terminates after two steps, the other one is truncated after five."""
    assert env.reset()["policy"].tolist() == [[0, 0], [0, 0]]
    seen = [act(env) for _ in range(7)]
    assert [r.obs["policy"][0].tolist() for r in seen] == [[0, 1], [1, 0], [1, 1], [2, 0], [2, 1], [3, 0], [3, 1]]
    assert [r.obs["policy"][1].tolist() for r in seen] == [[0, 1], [0, 2], [0, 3], [0, 4], [1, 0], [1, 1], [1, 2]]
    assert [r.terminated.tolist() for r in seen] == [[t, False] for t in (0, 1, 0, 1, 0, 1, 0)]
    assert [r.truncated.tolist() for r in seen] == [[False, t] for t in (0, 0, 0, 0, 1, 0, 0)]
    assert [r.final_obs is None for r in seen] == [True, False, True, False, False, False, True]
    assert seen[1].final_obs["policy"][0].tolist() == [0, 2]
    assert seen[3].final_obs["policy"][0].tolist() == [1, 2]
    assert seen[4].final_obs["policy"][1].tolist() == [0, 5]
    assert all(r.reward.tolist() == [0.5, 0.5] for r in seen), "no step whose action nobody heard"
    assert env.episode_length.tolist() == [1, 2]


def test_an_episode_ends_where_its_length_says_so(env):
    env.reset()
    env.episode_length.copy_(torch.tensor([0, LIMIT - 1]))
    result = act(env)
    assert result.truncated.tolist() == [False, True]
    assert result.terminated.tolist() == [False, False]
    assert result.final_obs["policy"][1].tolist() == [0, 1]
    assert env.episode_length.tolist() == [1, 0]
    goes_on = isinstance(env.env, counting.Batch) and env.env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert result.obs["policy"][1].tolist() == ([0, 1] if goes_on else [1, 0])


def test_terminated_counts_more_than_truncated():
    env = adapted(sync(AutoresetMode.SAME_STEP, (LIMIT,)))
    env.reset()
    result = [act(env) for _ in range(LIMIT)][-1]
    assert (result.terminated.tolist(), result.truncated.tolist()) == ([True], [False])


def test_what_was_handed_out_stays(env):
    obs, first = env.reset()["policy"], act(env)
    kept = [x.clone() for x in (obs, first.obs["policy"], first.reward, first.terminated, first.truncated)]
    for value in (1.0, 1.5, 2.0):
        act(env, value)
    now = (obs, first.obs["policy"], first.reward, first.terminated, first.truncated)
    assert all(torch.equal(a, b) for a, b in zip(now, kept, strict=True))


def test_a_next_step_environment_that_heeds_no_mask_is_refused():
    with pytest.raises(ContractError, match=r"autoreset_mode'\]: got NEXT_STEP of Batch; .*must not be learned from"):
        adapted(batch(AutoresetMode.NEXT_STEP))


def test_an_environment_that_does_not_say_how_it_goes_on_is_refused():
    env = batch(AutoresetMode.SAME_STEP)
    env.metadata = {}
    with pytest.raises(ContractError, match=r"metadata\['autoreset_mode'\]: got None"):
        adapted(env)


def test_the_end_of_an_episode_without_its_last_observation():
    env = batch(AutoresetMode.SAME_STEP)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {})
    made = adapted(env)
    made.reset()
    act(made)
    with pytest.raises(ContractError, match="the end of an episode without its last observation"):
        act(made)


def test_numbers_in_infos_are_metrics():
    env = adapted(sync(AutoresetMode.SAME_STEP, (2, 10**6)))
    env.reset()
    assert {tag: float(x) for tag, x in act(env).metrics.items()} == {"Metrics/speed": 2.0}
    # The first one's infos are those of its reset, which has none: the mean is over the other one alone.
    assert {tag: float(x) for tag, x in act(env).metrics.items()} == {"Metrics/speed": 4.0}


def test_what_is_known_of_time():
    known = SyncVectorEnv([partial(gymnasium.make, "Pendulum-v1")])
    env = adapted(known, max_episode_length=None)
    assert (env.step_dt, env.max_episode_length) == (1 / 30, 200), "a frame, and Gymnasium's own limit"
    assert adapted(sync(AutoresetMode.DISABLED)).step_dt == 0.05
    assert adapted(sync(AutoresetMode.DISABLED), step_dt=0.2, max_episode_length=3).step_dt == 0.2
    unknown = batch(AutoresetMode.DISABLED)
    del unknown.metadata["render_fps"]
    assert adapted(unknown).step_dt == pytest.approx(1 / 30)
    with pytest.raises(ContractError, match=r"max_episode_steps: got nothing.*env\.max_episode_steps=1000"):
        adapted(unknown, max_episode_length=None)


def test_seeds_decide_everything_and_the_first_is_the_environments_own():
    makers = [partial(gymnasium.make, "Pendulum-v1")] * 2

    def first(seed: int, then: int | None = None) -> list[float]:
        with closing(GymnasiumEnv(SyncVectorEnv(makers), seed=seed)) as env:
            return env.reset(then)["policy"].flatten().tolist()

    assert first(3) == first(3) == first(7, then=3)
    assert first(3) != first(7)
    assert first(3)[:3] != first(3)[3:], "each environment is another"


def test_it_begins_by_itself():
    with closing(adapted(sync(AutoresetMode.DISABLED))) as env:
        assert act(env).obs["policy"].tolist() == [[0, 1], [0, 1]]


def test_only_what_draws_itself_can_be_filmed():
    assert not isinstance(adapted(sync(AutoresetMode.DISABLED)), RenderedEnv)
    env = adapted(sync(AutoresetMode.DISABLED, render_mode="rgb_array"))
    assert isinstance(env, RenderedEnv)
    env.reset()
    act(env)
    assert env.render().tolist() == np.full((8, 8, 3), 1).tolist()


def test_a_picture_that_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch):
    def render(self: object) -> None:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    env = adapted(sync(AutoresetMode.DISABLED, render_mode="rgb_array"))
    env.reset()
    monkeypatch.setattr(counting.Count, "render", render)
    with pytest.raises(OutputError, match=r"render\(\): got DependencyNotInstalled; .*pygame is not installed"):
        env.render()


def test_tensors_are_where_they_are_wanted(device):
    with closing(adapted(sync(AutoresetMode.DISABLED), device=device)) as env:
        check_vec_env(env)


def test_a_dict_of_observations(monkeypatch: pytest.MonkeyPatch):
    both = spaces.Dict({"b": counting.OBS, "a": spaces.Box(0, 9, (), np.float32)})
    monkeypatch.setattr(counting.Count, "observation_space", both)
    monkeypatch.setattr(
        counting.Count,
        "observe",
        lambda self: {"b": np.array([self.episode, self.step_count], float), "a": np.float32(self.step_count)},
    )
    for mode in MODES:
        with closing(adapted(sync(mode))) as env:
            check_vec_env(env)
            env.reset(0)
            act(env)
            result = act(env)
            assert result.final_obs["policy"][0].tolist() == [2, 0, 2], mode
            assert result.final_obs["b"][0].tolist() == [0, 2]
            assert result.obs["b"].tolist() == [[1, 0], [0, 2]]
