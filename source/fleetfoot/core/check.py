"""The environment contract, executed: `check_vec_env(env)` finds the first clause that an environment breaks.

Each clause is one small function below. What fails says which clause, what was got, and what the contract expects.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fleetfoot.core.vec_env import GroupedRewardEnv, Observations, StatefulEnv, StepResult, VecEnv
from fleetfoot.errors import ContractError

__all__ = ["check_actions", "check_result", "check_start", "check_vec_env"]


def check_vec_env(env: VecEnv, *, num_steps: int = 64, seed: int = 0) -> None:
    """Run an environment through its contract (`core.vec_env`); it is reset several times on the way.

    Args:
        env: The environment to check.
        num_steps: Steps to take with random actions. Every environment is brought near its time limit first, so that
            automatic resets are seen.
        seed: Seed for the environment and the actions.

    Raises:
        ContractError: Names the first clause that is broken.
    """
    _check_declaration(env)
    actions = _random_actions(env, num_steps, seed)
    _check_observations(env, env.reset(seed), "reset")
    _check_bad_actions(env)
    history = _roll_out(env, actions, seed)
    _check_some_episode_ended(history)
    _check_same_seed_same_steps(env, actions, seed, history)
    if isinstance(env, StatefulEnv):
        _check_state_round_trip(env, actions, seed)


def check_actions(env: VecEnv, actions: Tensor) -> None:
    """What every `step` does first.

    Raises:
        ContractError: The actions are not a float tensor `[N, A]` on the environment's device.
    """
    shape = (env.num_envs, env.action_spec.size)
    if tuple(actions.shape) != shape:
        raise ContractError("step(actions).shape", got=tuple(actions.shape), expected=f"{shape}: [N, A]")
    if not actions.is_floating_point():
        raise ContractError("step(actions).dtype", got=actions.dtype, expected="a floating point type")
    if actions.device != env.device:
        raise ContractError("step(actions).device", got=actions.device, expected=str(env.device))


def check_start(env: VecEnv, obs: Observations) -> None:
    """What a training checks before its first step: what the environment declares, and its first observations.

    Raises:
        ContractError: Names the first clause that is broken.
    """
    _check_declaration(env)
    _check_observations(env, obs, "reset")


def check_result(env: VecEnv, result: StepResult) -> None:
    """What a training checks of its first step: names, shapes, types and devices; no values.

    Raises:
        ContractError: Names the first clause that is broken.
    """
    _check_groups(env, result.obs, "step().obs")
    if result.final_obs is not None:
        _check_groups(env, result.final_obs, "step().final_obs")
    _check_tensor(env, result.reward, "step().reward", torch.float32, ())
    _check_tensor(env, result.terminated, "step().terminated", torch.bool, ())
    _check_tensor(env, result.truncated, "step().truncated", torch.bool, ())
    declared = env.reward_groups if isinstance(env, GroupedRewardEnv) else ()
    same = set(result.reward_groups) == set(declared)
    groups = f"those of reward_groups, {sorted(declared)}"
    _require(same, "step().reward_groups", f"groups {sorted(result.reward_groups)}", groups)
    for name, reward in result.reward_groups.items():
        _check_tensor(env, reward, f"step().reward_groups[{name!r}]", torch.float32, ())
    for tag, value in result.metrics.items():
        where = f"step().metrics[{tag!r}]"
        _require(isinstance(value, Tensor), where, type(value).__name__, "a scalar tensor []")
        _require(value.ndim == 0, f"{where}.shape", tuple(value.shape), "a scalar tensor []")


def _check_declaration(env: VecEnv) -> None:
    _require(isinstance(env.num_envs, int) and env.num_envs >= 1, "num_envs", env.num_envs, "an integer of at least 1")
    _require(isinstance(env.device, torch.device), "device", env.device, "a torch.device")
    _require(isinstance(env.step_dt, float) and env.step_dt > 0, "step_dt", env.step_dt, "a positive float [s]")
    length = env.max_episode_length
    _require(isinstance(length, int) and length >= 1, "max_episode_length", length, "an integer of at least 1 [steps]")
    _check_tensor(env, env.episode_length, "episode_length", torch.int64, ())
    _require(len(env.observation_spec) > 0, "observation_spec", "no group", "at least one observation group")
    spec = env.action_spec
    _require(spec.size >= 1, "action_spec.size", spec.size, "at least 1")
    for name, values in (("names", spec.names or None), ("low", spec.low), ("high", spec.high)):
        fits = values is None or len(values) == spec.size
        _require(fits, f"action_spec.{name}", values, f"{spec.size} of them, one per action, or none")


def _check_bad_actions(env: VecEnv) -> None:
    wrong = torch.zeros(env.num_envs, env.action_spec.size + 1, device=env.device)
    try:
        env.step(wrong)
    except ContractError:
        return
    raise ContractError("step", got=f"actions of shape {tuple(wrong.shape)} accepted", expected="a ContractError")


def _check_result(env: VecEnv, result: StepResult) -> None:
    check_result(env, result)
    _check_observations(env, result.obs, "step().obs")
    _require(bool(result.reward.isfinite().all()), "step().reward", "NaN or infinity", "finite numbers")
    both = bool((result.terminated & result.truncated).any())
    _require(not both, "step()", "terminated and truncated both true", "at most one of them per environment")
    ended = bool((result.terminated | result.truncated).any())
    if result.final_obs is not None:
        _check_observations(env, result.final_obs, "step().final_obs")
    else:
        _require(not ended, "step().final_obs", "None", "the observations before the reset, where an episode ended")


def _check_observations(env: VecEnv, obs: Observations, where: str) -> None:
    _check_groups(env, obs, where)
    for group, value in obs.items():
        _require(bool(value.isfinite().all()), f"{where}[{group!r}]", "NaN or infinity", "finite numbers")


def _check_groups(env: VecEnv, obs: Observations, where: str) -> None:
    _require(isinstance(obs, Mapping), where, type(obs).__name__, "a mapping of group name to tensor")
    same = set(obs) == set(env.observation_spec)
    _require(same, where, f"groups {sorted(obs)}", f"the groups of observation_spec, {sorted(env.observation_spec)}")
    for group, shape in env.observation_spec.items():
        _check_tensor(env, obs[group], f"{where}[{group!r}]", torch.float32, tuple(shape))


def _check_tensor(env: VecEnv, value: Tensor, where: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    _require(isinstance(value, Tensor), where, type(value).__name__, "a tensor")
    expected = (env.num_envs, *shape)
    _require(tuple(value.shape) == expected, f"{where}.shape", tuple(value.shape), f"{expected}")
    _require(value.dtype == dtype, f"{where}.dtype", value.dtype, str(dtype))
    _require(value.device == env.device, f"{where}.device", value.device, str(env.device))


def _check_some_episode_ended(history: list[StepResult]) -> None:
    ended = any(bool((r.terminated | r.truncated).any()) for r in history)
    _require(ended, "episode_length", "no episode ended near its time limit", "truncation at max_episode_length")


def _check_same_seed_same_steps(env: VecEnv, actions: Tensor, seed: int, history: list[StepResult]) -> None:
    for number, (old, new) in enumerate(zip(history, _roll_out(env, actions, seed), strict=True)):
        _check_equal(old, new, f"reset(seed={seed})", f"other numbers at step {number} of the same actions")


def _check_state_round_trip(env: VecEnv, actions: Tensor, seed: int) -> None:
    assert isinstance(env, StatefulEnv)
    _roll_out(env, actions[: len(actions) // 2], seed)
    state = env.state_dict()
    rest = [env.step(a) for a in actions[len(actions) // 2 :]]
    env.load_state_dict(state)
    for number, (old, new) in enumerate(zip(rest, [env.step(a) for a in actions[len(actions) // 2 :]], strict=True)):
        _check_equal(old, new, "load_state_dict", f"other numbers at step {number} after it")


def _check_equal(old: StepResult, new: StepResult, where: str, got: str) -> None:
    pairs = [(old.reward, new.reward), (old.terminated, new.terminated), (old.truncated, new.truncated)]
    pairs += [(old.obs[group], new.obs[group]) for group in old.obs]
    same = all(torch.equal(a, b) for a, b in pairs)
    _require(same, where, got, "the same numbers, bit for bit")


def _roll_out(env: VecEnv, actions: Tensor, seed: int) -> list[StepResult]:
    """Step through the actions; every tensor handed out must survive the later steps."""
    env.reset(seed)
    stagger = torch.arange(env.num_envs, device=env.device) % (len(actions) // 2 or 1)
    env.episode_length.copy_((env.max_episode_length - 1 - stagger).clamp(min=0))
    history: list[StepResult] = []
    copies: dict[str, Tensor] = {}
    for action in actions:
        result = env.step(action)
        for where, value in (_tensors(history[-1]) if history else {}).items():
            kept = torch.equal(value, copies[where])
            _require(kept, where, "overwritten by the next step", "tensors that stay as they are")
        _check_result(env, result)
        copies = {where: value.clone() for where, value in _tensors(result).items()}
        history.append(result)
    return history


def _tensors(result: StepResult) -> dict[str, Tensor]:
    """Everything that a step handed out, by where it stands."""
    groups = {"obs": result.obs, "final_obs": result.final_obs or {}, "metrics": result.metrics}
    groups |= {"reward_groups": result.reward_groups}
    found = {f"step().{name}[{key!r}]": value for name, group in groups.items() for key, value in group.items()}
    plain = {"reward": result.reward, "terminated": result.terminated, "truncated": result.truncated}
    return found | {f"step().{name}": value for name, value in plain.items()}


def _random_actions(env: VecEnv, num_steps: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    actions = torch.randn(num_steps, env.num_envs, env.action_spec.size, generator=generator)
    return actions.clamp(-1, 1).to(env.device)


def _require(holds: bool, where: str, got: object, expected: str) -> None:
    if not holds:
        raise ContractError(where, got=got, expected=expected, fix="See fleetfoot.core.vec_env for the contract.")
