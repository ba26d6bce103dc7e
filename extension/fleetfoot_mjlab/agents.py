"""A task's agent as mjlab has it, translated."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mjlab.tasks.registry import load_rl_cfg

from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.runners.config import RunnerCfg

__all__ = ["agent_cfg", "clip_actions"]


def agent_cfg(name: str) -> RunnerCfg:
    """The agent of a task.

    What rsl_rl does is done better where fleetfoot can: a truncated episode is worth what its last observation is. The
    logger is TensorBoard, not Weights & Biases as in mjlab: nothing leaves the machine unasked.

    Args:
        name: The task's.

    Raises:
        ConfigError: It has something that there is not here.
    """
    data: dict[str, Any] = {**asdict(load_rl_cfg(name)), "logger": "tensorboard"}
    for model in ("actor", "critic"):
        data[model] = _without_unset(data[model])
    return translate_train_cfg(data, same_numbers=False)


def clip_actions(name: str) -> float | None:
    """What a task's agent keeps its actions within, `±x`; mjlab has it in the agent's config."""
    return load_rl_cfg(name).clip_actions


def _without_unset(model: dict[str, Any]) -> dict[str, Any]:
    """A network's config without what belongs to networks of another kind, which mjlab leaves out as well."""
    unset = [key for key in ("cnn_cfg", "distribution_cfg") if model[key] is None]
    if model["rnn_type"] is None:
        unset += ["rnn_type", "rnn_hidden_dim", "rnn_num_layers"]
    return {key: value for key, value in model.items() if key not in unset}
