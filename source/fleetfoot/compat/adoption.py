"""What was learned there in the place of what an algorithm here has, and the other way round.

Our names are those of `weights`; the state is that of `Ppo.state_dict` or `Distillation.state_dict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from fleetfoot.compat.checkpoint_file import Learned
from fleetfoot.compat.value_units import unfold_scale
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import GaussianCfg, SquashedGaussianCfg
from fleetfoot.runners.checkpoint import Checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg, RunnerCfg, decode_agent, trained_policy

__all__ = ["ALL_PARTS", "adopt", "learned_by", "learned_in"]

ALL_PARTS: Mapping[str, bool] = {
    **{name: True for name in ("actor", "critic", "rnd", "student", "teacher")},
    "optimizer": True,
}
"""What there is to take over, by the names of rsl_rl's `load_cfg`."""

_BUFFERS = ("normalizer.mean", "normalizer.var", "count", "running_mean", "running_var", "num_batches_tracked")
"""How the names of tensors of networks end that no optimiser has."""
_STD = "head.std_param"
_SAME_CONFIG = "Use the config that it was trained with."


def learned_by(state: Mapping[str, Any], cfg: RunnerCfg, iteration: int, infos: Any = None) -> Learned:
    """What the state of one of our algorithms holds that rsl_rl has too.

    Args:
        state: The algorithm's `state_dict()`.
        cfg: The run's config.
        iteration: Iterations done.
        infos: Plain values to keep beside it.
    """
    networks = {name: state[name] for name in _networks_of(cfg)}
    optimizer, rnd = state["optimizer"], state.get("extensions", {}).get("rnd")
    if rnd is not None:
        networks["rnd"] = rnd["networks"]
    on_policy = isinstance(cfg, OnPolicyRunnerCfg)
    return Learned(
        networks=networks,
        moments={name: optimizer["state"][i] for name, i in _trained(state, cfg) if i in optimizer["state"]},
        learning_rate=float(state["learning_rate"]) if on_policy else cfg.algorithm.learning_rate,
        optimizer=cfg.algorithm.optimizer,
        iteration=iteration,
        rnd_learning_rate=float(optimizer["param_groups"][-1]["lr"]),
        shares_encoders=on_policy and cfg.algorithm.share_cnn_encoders,
        infos=infos,
    )


def learned_in(checkpoint: Checkpoint, where: str) -> tuple[Learned, RunnerCfg]:
    """What one of our checkpoints holds that rsl_rl has too, and the config of its run.

    Args:
        checkpoint: The checkpoint.
        where: Its file, for errors.
    """
    cfg = decode_agent(checkpoint.metadata["agent"], where=f"{where}: agent")
    state = checkpoint.state
    algorithm = {**state["algorithm"], **state["ranks"][0]["algorithm"]}
    return learned_by(algorithm, cfg, state["iteration"]), cfg


def adopt(
    state: Mapping[str, Any],
    cfg: RunnerCfg,
    learned: Learned,
    *,
    parts: Mapping[str, bool] = ALL_PARTS,
    strict: bool = True,
    where: str = "the checkpoint",
) -> dict[str, Any]:
    """The state of one of our algorithms, with what was learned elsewhere in the place of what it has.

    Args:
        state: The algorithm's `state_dict()`.
        cfg: The run's config.
        learned: What was learned, under our names.
        parts: Which parts to take over; what is not there is not. A teacher may have been an actor.
        strict: Whether tensors that the networks here do not have, or have and are not there, are refused.
        where: The file it is from, for errors.

    Raises:
        CheckpointError: A network is not there, or has other tensors or shapes than the one here.
    """
    new = dict(state)
    for name in _networks_of(cfg):
        if parts.get(name):
            theirs = "actor" if name == "teacher" and name not in learned.networks else name
            ours = state[name]
            if name == "teacher":  # one that never explores needs no standard deviation there
                ours = {key: x for key, x in ours.items() if key != _STD or key in learned.networks.get(theirs, ())}
            new[name] = {**state[name], **_fitted(learned, theirs, ours, strict, where)}
            if name == "teacher":
                new["teacher_sources"] = (where,)
    if parts.get("optimizer"):
        if isinstance(cfg, OnPolicyRunnerCfg):
            new["learning_rate"] = torch.as_tensor(learned.learning_rate)
        new["num_updates"] = learned.iteration
    if parts.get("rnd") and isinstance(cfg, OnPolicyRunnerCfg) and "rnd" in state["extensions"]:
        rnd = state["extensions"]["rnd"]
        networks = _fitted(learned, "rnd", rnd["networks"], strict, where)
        steps = torch.full_like(rnd["steps"], learned.iteration * cfg.num_steps_per_env)
        new["extensions"] = {**state["extensions"], "rnd": {**rnd, "networks": networks, "steps": steps}}
    optimizer, moments = state["optimizer"], _moments_in_our_units(learned, cfg)
    part_of = {name: "rnd" if name.startswith("rnd.") else "optimizer" for name in moments}
    taken = {i: dict(moments[n]) for n, i in _trained(state, cfg) if n in moments and parts.get(part_of[n])}
    new["optimizer"] = {**optimizer, "state": {**optimizer["state"], **taken}}
    return new


def _networks_of(cfg: RunnerCfg) -> tuple[str, str]:
    """The networks of a run that rsl_rl has too; curiosity's are beside them."""
    return ("actor", "critic") if isinstance(cfg, OnPolicyRunnerCfg) else ("student", "teacher")


def _moments_in_our_units(learned: Learned, cfg: RunnerCfg) -> Mapping[str, Mapping[str, Tensor]]:
    """What the optimiser remembers, if it is of the same kind; without a critic that has units of its own here."""
    there, here = ("adam" if name == "adamw" else name for name in (learned.optimizer, cfg.algorithm.optimizer))
    if there != here:
        return {}
    if not isinstance(cfg, OnPolicyRunnerCfg) or not cfg.critic.value_normalization:
        return learned.moments
    return {name: state for name, state in learned.moments.items() if not name.startswith("critic.")}


def _fitted(learned: Learned, name: str, ours: Mapping[str, Tensor], strict: bool, where: str) -> dict[str, Tensor]:
    """The tensors of a network of theirs, for one of ours that has `ours`."""
    if name not in learned.networks:
        have = ", ".join(learned.networks)
        raise CheckpointError(where, got=f"no {name}, but {have}", expected=f"a run with the network {name}")
    theirs = dict(learned.networks[name])
    if "scale.moments.mean" in ours:
        theirs = unfold_scale(theirs, ours)
    for key in ours if strict else ():
        if key not in theirs:
            expected = f"one with {name}.{key}, as the network here has"
            raise CheckpointError(where, got=f"a network without {name}.{key}", expected=expected, fix=_SAME_CONFIG)
    for key, x in theirs.items():
        if key in ours and x.shape != ours[key].shape:
            got, expected = (
                f"{name}.{key} of shape {list(x.shape)}",
                f"{list(ours[key].shape)}, as the network here has",
            )
            raise CheckpointError(where, got=got, expected=expected, fix=_SAME_CONFIG)
        if key not in ours and strict:
            expected = "none, as the network here has"
            raise CheckpointError(where, got=f"{name}.{key}", expected=expected, fix=_SAME_CONFIG)
    return {key: theirs.get(key, x) for key, x in ours.items()}


def _trained(state: Mapping[str, Any], cfg: RunnerCfg) -> Iterator[tuple[str, int]]:
    """The name of each tensor that is trained, and its number in the optimiser."""
    policy = trained_policy(cfg)
    left_out = ["critic.scale."]
    distribution = policy.cfg.distribution
    if isinstance(distribution, (GaussianCfg, SquashedGaussianCfg)) and not distribution.learn_std:
        left_out.append(f"{policy.name}.{_STD}")
    if isinstance(cfg, OnPolicyRunnerCfg) and cfg.algorithm.share_cnn_encoders:  # they are the actor's
        left_out.append("critic.inputs.encoders.")
    trained = ("actor", "critic") if isinstance(cfg, OnPolicyRunnerCfg) else (policy.name,)
    names = [f"{name}.{key}" for name in trained for key in state[name]]
    names = [name for name in names if not name.endswith(_BUFFERS) and not name.startswith(tuple(left_out))]
    groups = state["optimizer"]["param_groups"]
    yield from zip(names, groups[0]["params"], strict=True)
    if "rnd" in state.get("extensions", {}):
        predictor = [f"rnd.{key}" for key in state["extensions"]["rnd"]["networks"] if key.startswith("predictor.")]
        yield from zip(predictor, groups[1]["params"], strict=True)
