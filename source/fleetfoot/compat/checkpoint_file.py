"""Checkpoint files of rsl_rl: read from any version since 2.3, written as 5.5.1 does.

    2.x, 3.x    model_state_dict: std, actor.0.weight, actor_obs_normalizer._mean, memory_a.rnn.*, critic.0.weight, …
                (2.x has the normalisers apart: obs_norm_state_dict, privileged_obs_norm_state_dict)
    4.x         actor_state_dict: std, obs_normalizer._mean, mlp.0.weight, rnn.rnn.*, …; critic_state_dict: …
    5.x         the same, but distribution.std_param for std
    all         optimizer_state_dict, iter, infos

What is read has the names of 5.x. Only tensors and plain values are unpickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fleetfoot.core.files import atomic_write
from fleetfoot.errors import CheckpointError

__all__ = ["Learned", "read_checkpoint_file", "write_checkpoint_file"]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a training has learned, by names."""

    networks: Mapping[str, Mapping[str, Tensor]]
    """`actor` and `critic`, or `student` and `teacher`, to the tensors of each, in the order of their modules."""
    moments: Mapping[str, Mapping[str, Tensor]]
    """Parameter, as `actor.mlp.0.weight`, to what Adam remembers of it: `step`, `exp_avg`, `exp_avg_sq`."""
    learning_rate: float
    iteration: int
    """Iterations done."""
    infos: Any = None
    """What the script that saved it wanted to keep: plain values."""
    left_out: tuple[str, ...] = ()
    """Parts of the file that are not in here."""


_MODELS: tuple[str, ...] = ("actor", "critic", "student", "teacher")
_OLD_PREFIXES: tuple[tuple[str, str, str], ...] = (
    ("actor_obs_normalizer.", "actor", "obs_normalizer."),
    ("critic_obs_normalizer.", "critic", "obs_normalizer."),
    ("student_obs_normalizer.", "student", "obs_normalizer."),
    ("teacher_obs_normalizer.", "teacher", "obs_normalizer."),
    ("actor_cnns.", "actor", "cnns."),
    ("critic_cnns.", "critic", "cnns."),
    ("memory_a.", "actor", "rnn."),
    ("memory_c.", "critic", "rnn."),
    ("memory_s.", "student", "rnn."),
    ("memory_t.", "teacher", "rnn."),
    ("actor.", "actor", "mlp."),
    ("critic.", "critic", "mlp."),
    ("student.", "student", "mlp."),
    ("teacher.", "teacher", "mlp."),
)
"""How a name of 3.x begins, the network it belongs to, and how it begins since 4.0."""
_OLD_STD = {"std": "distribution.std_param", "log_std": "distribution.log_std_param"}
_BUFFERS = ("_mean", "_var", "_std", "count", "running_mean", "running_var", "num_batches_tracked")
"""How the names of tensors end that no optimiser has: the state of normalisers."""
_MODULES = ("obs_normalizer.", "distribution.", "mlp.", "rnn.", "cnns.")
"""The modules of a model, in the order in which its optimiser sees their parameters."""


def read_checkpoint_file(path: Path, *, device: torch.device | str = "cpu") -> Learned:
    """Read a checkpoint of any version, with the names of 5.x.

    Raises:
        CheckpointError: The file is missing, unreadable, or no checkpoint of rsl_rl.
    """
    content = _unpickle(path, device)
    names = list(_names(content, str(path)))
    networks: dict[str, dict[str, Tensor]] = {}
    for network, key, value in names:
        networks.setdefault(network, {})[key] = value
    trained = names if "model_state_dict" in content else [name for name in names if name[0] != "teacher"]
    optimizer = content["optimizer_state_dict"]
    moments = _moments(optimizer, [f"{network}.{key}" for network, key, _ in trained if not key.endswith(_BUFFERS)])
    read = {"model_state_dict", "obs_norm_state_dict", "privileged_obs_norm_state_dict", "iter", "infos"}
    read |= {f"{name}_state_dict" for name in (*_MODELS, *(("optimizer",) if moments else ()))}
    return Learned(
        networks=networks,
        moments=moments,
        learning_rate=float(optimizer["param_groups"][0]["lr"]),
        iteration=content["iter"] + 1,
        infos=content["infos"],
        left_out=tuple(key for key in content if key not in read),
    )


def write_checkpoint_file(path: Path, learned: Learned) -> None:
    """Write a checkpoint that rsl_rl 5.5.1 loads; names are those of 5.x.

    Raises:
        OutputError: It cannot be written; an older file of this name is still whole.
    """
    networks = {name: _in_order(state) for name, state in learned.networks.items()}
    trained = [f"{name}.{key}" for name, state in networks.items() if name != "teacher" for key in state]
    parameters = [name for name in trained if not name.endswith(_BUFFERS)]
    optimizer = torch.optim.Adam([torch.zeros(())], lr=learned.learning_rate).state_dict()
    optimizer["param_groups"][0]["params"] = list(range(len(parameters)))
    moments = {index: learned.moments[name] for index, name in enumerate(parameters) if name in learned.moments}
    content = {
        **{f"{name}_state_dict": _on_cpu(state) for name, state in networks.items()},
        "optimizer_state_dict": optimizer | {"state": {index: _on_cpu(state) for index, state in moments.items()}},
        "iter": max(learned.iteration - 1, 0),  # theirs is that of the last iteration, counted from 0
        "infos": learned.infos,
    }
    atomic_write(path, lambda temporary: torch.save(content, temporary))


def _in_order(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's tensors, module by module in the order in which its optimiser sees them."""
    return {key: state[key] for module in _MODULES for key in state if key.startswith(module)}


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.cpu() for key, value in tensors.items()}


def _unpickle(path: Path, device: torch.device | str) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(str(path), got="no file", expected="a checkpoint of rsl_rl")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about foreign files: they are refused anyway
            content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a file that is not one of theirs can make unpickling raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        got = f"a file that cannot be read ({reason[:100]})"
        fix = "Only tensors and plain values are read: what else was put into its infos has to be left out."
        raise CheckpointError(str(path), got=got, expected="a checkpoint of rsl_rl", fix=fix) from None
    models = ("model_state_dict", *(f"{name}_state_dict" for name in _MODELS))
    needed = {"optimizer_state_dict", "iter", "infos"}
    if not isinstance(content, dict) or not needed <= set(content) or not any(key in content for key in models):
        keys = f"a file with {sorted(map(str, content))[:6]}" if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(str(path), got=keys, expected="a checkpoint of rsl_rl")
    return content


def _names(content: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, Tensor]]:
    """Network, name since 5.0, and value of each tensor, in the order in which the optimiser sees the parameters."""
    if "model_state_dict" in content:
        yield from _old_names(content, where)
        return
    for network in _MODELS:
        state: Mapping[str, Tensor] = content.get(f"{network}_state_dict", {})
        for key, value in state.items():
            yield network, _OLD_STD.get(key, key), value


def _old_names(content: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, Tensor]]:
    model: Mapping[str, Tensor] = content["model_state_dict"]
    acting, other = ("student", "teacher") if any(key.startswith("student.") for key in model) else ("actor", "critic")
    apart = ((acting, "obs_norm_state_dict"), (other, "privileged_obs_norm_state_dict"))
    for network, part in apart:
        for key, value in content.get(part, {}).items():
            yield network, f"obs_normalizer.{key}", value
    for key, value in model.items():
        if key in _OLD_STD:
            yield acting, _OLD_STD[key], value
            continue
        found = [(network, new + key[len(old) :]) for old, network, new in _OLD_PREFIXES if key.startswith(old)]
        if not found:
            raise CheckpointError(where, got=f"a parameter {key!r}", expected="the networks of rsl_rl itself")
        yield *found[0], value


def _moments(optimizer: Mapping[str, Any], parameters: list[str]) -> dict[str, dict[str, Tensor]]:
    """What Adam remembers of each of its parameters; nothing if it was another optimiser, or had other parameters."""
    indices, state = optimizer["param_groups"][0]["params"], optimizer["state"]
    if len(indices) != len(parameters) or any("exp_avg_sq" not in moments for moments in state.values()):
        return {}
    return {name: state[i] for i, name in zip(indices, parameters, strict=True) if i in state}
