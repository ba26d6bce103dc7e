"""The policy as it is used outside of training: observations in, the most likely actions out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from fleetfoot.core.vec_env import Observations, VecEnv
from fleetfoot.errors import CheckpointError
from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import build_actor
from fleetfoot.models.memory import State, reset_state
from fleetfoot.runners.checkpoint import Checkpoint
from fleetfoot.runners.config import RunnerCfg, trained_policy

__all__ = ["InferencePolicy", "build_policy", "check_fits", "load_networks"]


@final
class InferencePolicy:
    """A trained actor without its exploration: `actions = policy(obs)`.

    Args:
        actor: Copied, so that training on goes on undisturbed.
        device: Where to compute.
    """

    def __init__(self, actor: Actor, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.actor = copy.deepcopy(actor).to(self.device).eval().requires_grad_(False)
        self._state: State | None = None

    @torch.no_grad()
    def __call__(self, obs: Observations) -> Tensor:
        """The most likely actions `[N, A]` for observations `[N, …]`; what they were is remembered."""
        if self._state is None:
            self._state = self.actor.memory.initial_state(next(iter(obs.values())).shape[0], self.device)
        distribution, self._state = self.actor.step(obs, self._state)
        return distribution.mode()

    def reset(self, done: Tensor | None = None) -> None:
        """Forget what came before, where `done` bool `[N]` says so, or everywhere."""
        if done is None or self._state is None:
            self._state = None
        else:
            self._state = reset_state(self._state, done)


def build_policy(checkpoint: Checkpoint, cfg: RunnerCfg, env: VecEnv, where: str) -> InferencePolicy:
    """The policy that a checkpoint holds, for an environment like the one it was trained in.

    Raises:
        CheckpointError: The environment observes or acts differently.
    """
    check_fits(checkpoint, env, where)
    name, network, groups = trained_policy(cfg)
    actor = build_actor(network, groups, env.observation_spec, env.action_spec.size, name)
    load_networks(checkpoint, {name: actor}, where)
    return InferencePolicy(actor, env.device)


def load_networks(checkpoint: Checkpoint, networks: Mapping[str, torch.nn.Module], where: str) -> None:
    """Copy parameters into networks.

    Raises:
        CheckpointError: They have other shapes than the config says.
    """
    for name, network in networks.items():
        try:
            network.load_state_dict(checkpoint.state["algorithm"][name])
        except (RuntimeError, KeyError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            expected = f"the parameters of agent.{name} as configured"
            fix = "Leave the overrides of the network away: a checkpoint carries its config."
            raise CheckpointError(where, got=lines[-1], expected=expected, fix=fix) from None


def check_fits(checkpoint: Checkpoint, env: VecEnv, where: str) -> None:
    """Refuse a checkpoint of an environment with other observations or actions.

    Raises:
        CheckpointError: Names the first difference.
    """
    trained = {group: tuple(shape) for group, shape in checkpoint.metadata["observation_spec"].items()}
    here = {group: tuple(shape) for group, shape in env.observation_spec.items()}
    if trained != here:
        fix = "Is it a checkpoint of another task?"
        raise CheckpointError(where, got=f"trained on observations {trained}", expected=f"{here}", fix=fix)
    if checkpoint.metadata["num_actions"] != env.action_spec.size:
        got = f"trained with {checkpoint.metadata['num_actions']} actions"
        raise CheckpointError(where, got=got, expected=f"{env.action_spec.size}")
