"""Checkpoint files of rsl_rl: read from any version since 2.3, written as 5.5.1 does.

    2.x, 3.x    model_state_dict: std, actor.0.weight, actor_obs_normalizer._mean, memory_a.rnn.*, critic.0.weight, …
                (2.x has the normalisers apart: obs_norm_state_dict, privileged_obs_norm_state_dict)
    4.x         actor_state_dict: std, obs_normalizer._mean, mlp.0.weight, rnn.rnn.*, …; critic_state_dict: …
    5.x         the same, but distribution.std_param for std
    all         optimizer_state_dict, iter, infos; of a curious run rnd_state_dict, rnd_optimizer_state_dict

What is read has the names of 5.x. Only tensors and plain values are unpickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fleetfoot.algorithms.config import OptimizerName
from fleetfoot.core.files import atomic_write
from fleetfoot.errors import CheckpointError

__all__ = ["Learned", "read_checkpoint_file", "write_checkpoint_file"]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a training has learned, by names."""

    networks: Mapping[str, Mapping[str, Tensor]]
    """`actor` and `critic`, or `student` and `teacher`, and `rnd` if there is one, to the tensors of each, in the order
    of their modules."""
    moments: Mapping[str, Mapping[str, Tensor]]
    """Parameter, as `actor.mlp.0.weight`, to what the optimiser remembers of it: Adam `step`, `exp_avg`, `exp_avg_sq`,
    RMSprop `step`, `square_avg`."""
    learning_rate: float
    iteration: int
    """Iterations done."""
    optimizer: OptimizerName = "adam"
    """Which one has learned it; of AdamW's no file says that it is not Adam's."""
    rnd_learning_rate: float = 1e-3
    """That of what `rnd` trains; without meaning where there is none."""
    shares_encoders: bool = False
    """Whether the critic sees images through the actor's networks. There are moments for the actor's alone."""
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
_ENCODERS = "cnns."
_CLASSES: Mapping[OptimizerName, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
_KEPT: Mapping[OptimizerName, str] = {
    "adam": "exp_avg_sq",
    "adamw": "exp_avg_sq",
    "sgd": "",
    "rmsprop": "square_avg",
}
"""What each remembers of a parameter: SGD nothing, without a momentum, which rsl_rl's has not."""
_PREDICTOR = "predictor."
"""The part of random network distillation that is trained, with an optimiser of its own."""


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
    optimizer, own = content["optimizer_state_dict"], content.get("rnd_optimizer_state_dict", {})
    moments = _moments(optimizer, [f"{network}.{key}" for network, key, _ in trained if not key.endswith(_BUFFERS)])
    read = {"model_state_dict", "obs_norm_state_dict", "privileged_obs_norm_state_dict", "iter", "infos"}
    read |= {f"{name}_state_dict" for name in (*_MODELS, *(() if moments is None else ("optimizer",)))}
    moments = moments or {}
    if own:
        networks["rnd"] = dict(content["rnd_state_dict"])
        moments |= _moments(own, [f"rnd.{key}" for key in networks["rnd"] if key.startswith(_PREDICTOR)]) or {}
        read |= {"rnd_state_dict", "rnd_optimizer_state_dict"}
    indices = optimizer["param_groups"][0]["params"]
    return Learned(
        networks=networks,
        moments=moments,
        learning_rate=float(optimizer["param_groups"][0]["lr"]),
        # Theirs is 0 before the first and after it; SGD has no state to tell.
        iteration=content["iter"] + 1 if optimizer["state"] or content["iter"] else 0,
        optimizer=_kind_of(optimizer),
        rnd_learning_rate=float(own["param_groups"][0]["lr"]) if own else 1e-3,
        shares_encoders=len(set(indices)) < len(indices),
        infos=content["infos"],
        left_out=tuple(key for key in content if key not in read),
    )


def write_checkpoint_file(path: Path, learned: Learned) -> None:
    """Write a checkpoint that rsl_rl 5.5.1 loads; names are those of 5.x.

    Raises:
        OutputError: It cannot be written; an older file of this name is still whole.
    """
    networks = {name: _in_order(state) for name, state in learned.networks.items() if name != "rnd"}
    trained = [f"{name}.{key}" for name, state in networks.items() if name != "teacher" for key in state]
    parameters = [name for name in trained if not name.endswith(_BUFFERS)]
    content: dict[str, Any] = {f"{name}_state_dict": _on_cpu(state) for name, state in networks.items()}
    content["optimizer_state_dict"] = _optimizer(learned, parameters, learned.learning_rate, learned.optimizer)
    if (rnd := learned.networks.get("rnd")) is not None:
        predictor = [f"rnd.{key}" for key in rnd if key.startswith(_PREDICTOR)]
        content["rnd_state_dict"] = _on_cpu(rnd)
        known = learned if learned.optimizer == "adam" else replace(learned, moments={})  # there it is always Adam
        content["rnd_optimizer_state_dict"] = _optimizer(known, predictor, learned.rnd_learning_rate, "adam")
    content["iter"] = max(learned.iteration - 1, 0)  # theirs is that of the last iteration, counted from 0
    content["infos"] = learned.infos
    atomic_write(path, lambda temporary: torch.save(content, temporary))


def _optimizer(
    learned: Learned, parameters: Sequence[str], learning_rate: float, kind: OptimizerName
) -> dict[str, Any]:
    """The state of one of torch's over parameters by their names; one that is shared is named where it comes first."""
    owners = [_owner(name, learned) for name in parameters]
    indices = {name: owners.index(name) for name in dict.fromkeys(owners)}
    state = {index: _on_cpu(learned.moments[name]) for name, index in indices.items() if name in learned.moments}
    optimizer = _CLASSES[kind]([torch.zeros(())], lr=learning_rate).state_dict()
    optimizer["param_groups"][0]["params"] = [indices[name] for name in owners]
    return optimizer | {"state": state}


def _owner(name: str, learned: Learned) -> str:
    """The name of a parameter, or of the actor's where the critic only borrows it."""
    is_borrowed = learned.shares_encoders and name.startswith(f"critic.{_ENCODERS}")
    return name.replace("critic", "actor", 1) if is_borrowed else name


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


def _moments(optimizer: Mapping[str, Any], parameters: list[str]) -> dict[str, dict[str, Tensor]] | None:
    """What an optimiser remembers of each of its parameters; None if it is unknown, or had other parameters."""
    indices, state = optimizer["param_groups"][0]["params"], optimizer["state"]
    kept = _KEPT[_kind_of(optimizer)]
    if len(indices) != len(parameters) or any(kept not in moments for moments in state.values()):
        return None
    names: dict[int, str] = {}
    for index, name in zip(indices, parameters, strict=True):
        names.setdefault(index, name)  # what is shared is there twice, first as the actor's
    return {name: state[index] for index, name in names.items() if index in state}


def _kind_of(optimizer: Mapping[str, Any]) -> OptimizerName:
    """Which of rsl_rl's optimisers a state is of: by what it remembers, else by the settings that are saved with it."""
    remembered = {key for moments in optimizer["state"].values() for key in moments}
    settings = optimizer["param_groups"][0]
    if "square_avg" in remembered or "alpha" in settings:
        return "rmsprop"
    return "sgd" if "momentum" in settings and not remembered else "adam"
