"""A `train_cfg` written for rsl_rl 3.x or 4.x, brought to the form that 5.5.1 reads.

It is done once, before anything else reads the config: nothing else here knows the old names.

    3.x    policy: {class_name: ActorCritic, actor_hidden_dims, init_noise_std, …}, empirical_normalization
    4.x    actor: {class_name: MLPModel, hidden_dims, stochastic, init_noise_std, …}, critic: {…}
    5.x    actor: {class_name: MLPModel, hidden_dims, distribution_cfg: {class_name, init_std, …}}, critic: {…}

Isaac Lab's classes have the fields of all three side by side. No torch here.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from fleetfoot.compat.section import Section
from fleetfoot.errors import ConfigError

__all__ = ["current_logger", "migrate_isaaclab_cfg", "migrate_train_cfg"]

WHERE = "train_cfg"
MODELS = ("actor", "critic", "student", "teacher")
_OLD_NOISE: Mapping[str, Any] = {
    "stochastic": False,
    "init_noise_std": 1.0,
    "noise_std_type": "scalar",
    "state_dependent_std": False,
}
"""Keys of a model in 4.x that 5.x has in `distribution_cfg`, with their defaults."""
_LOG_WRITERS = {"wandb": "WandbLogWriter", "neptune": "NeptuneLogWriter"}


def migrate_train_cfg(train_cfg: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The same config for rsl_rl 5.5.1; what is not part of a change is left as it is.

    Args:
        train_cfg: What was handed to rsl_rl's runner; it is not changed.
        version: The rsl_rl it was written for: `3`, `3.1.2`, `4.0.1`, …

    Raises:
        ConfigError: The version is unknown, or the config is not one of that version.
    """
    major = re.match(r"[345](?=\.|$)", version.strip())
    if major is None:
        raise ConfigError("version", got=repr(version), expected="a version of rsl_rl from 3.0 to 5.5")
    data = copy.deepcopy(dict(train_cfg))
    if major[0] == "3":
        data = _policy_to_models(data)
    if major[0] in "34":
        for name in MODELS:
            if name in data:
                data[name] = _noise_to_distribution(data[name], f"{WHERE}.{name}")
    if "logger" in data:
        data["logger"] = current_logger(data["logger"], data)
    return data


def migrate_isaaclab_cfg(agent_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """An agent config of Isaac Lab, as its own `to_dict` gives it, for rsl_rl 5.5.1.

    Raises:
        ConfigError: It has keys that none of Isaac Lab's own has.
    """
    data = {key: value for key, value in agent_cfg.items() if _is_set(value)}
    for name in MODELS:
        if name in data:
            data[name] = {key: value for key, value in data[name].items() if _is_set(value)}
    if "policy" in data and not any(name in data for name in MODELS):
        data["policy"] = {key: value for key, value in data["policy"].items() if _is_set(value)}
        return migrate_train_cfg(data, "3")
    data.pop("policy", None)
    data.pop("empirical_normalization", None)
    return migrate_train_cfg(data, "4")


def current_logger(logger: object, runner: Mapping[str, Any]) -> object:
    """`wandb` and `neptune` as the dict that says the same; 5.5.1 still reads the word.

    Args:
        logger: The logger, in either form.
        runner: The config around it, which has the project's name where the logger is a word.
    """
    if not isinstance(logger, str) or logger not in _LOG_WRITERS:
        return logger
    return {"class_name": _LOG_WRITERS[logger], "project_name": runner.get(f"{logger}_project")}


def _is_set(value: object) -> bool:
    """Isaac Lab writes `{}` for what nobody has set."""
    return value != {}


def _policy_to_models(data: dict[str, Any]) -> dict[str, Any]:
    """3.x to 4.x: one network for each that acts or judges, each with its own settings."""
    runner = Section(data, WHERE)
    policy = runner.part("policy")
    normalize = data.pop("empirical_normalization", None) or False
    del data["policy"]
    kinds = {
        "ActorCritic": ("MLPModel", "actor", "critic"),
        "ActorCriticRecurrent": ("RNNModel", "actor", "critic"),
        "ActorCriticCNN": ("CNNModel", "actor", "critic"),
        "StudentTeacher": ("MLPModel", "student", "teacher"),
        "StudentTeacherRecurrent": ("RNNModel", "student", "teacher"),
    }
    class_name, acting, other = policy.choose("class_name", "ActorCritic", kinds)
    for name in (acting, other):
        data[name] = _model_of_policy(policy, name, class_name, normalize)
    data[acting] |= _noise_of_policy(policy, acting)
    if other == "teacher":  # it is loaded from an actor, which has a standard deviation, and never explores
        data[other] |= {"stochastic": True, "init_noise_std": 0.0}
        if class_name == "RNNModel" and not policy.take("teacher_recurrent", False):
            data[other] = {key: value for key, value in data[other].items() if not key.startswith("rnn_")}
            data[other]["class_name"] = "MLPModel"
    policy.finish()
    data["obs_groups"] = _sets_of_policy(dict(data.get("obs_groups") or {}), acting, other)
    return data


def _model_of_policy(policy: Section, name: str, class_name: str, normalize: bool) -> dict[str, Any]:
    said = policy.take(f"{name}_obs_normalization", None)
    model = {
        "class_name": class_name,
        "hidden_dims": policy.take(f"{name}_hidden_dims", [256, 256, 256]),
        "activation": policy.take("activation", "elu"),
        "obs_normalization": normalize if said is None else said,
    }
    if class_name == "RNNModel":
        model["rnn_type"] = policy.take("rnn_type", "lstm")
        model["rnn_hidden_dim"] = policy.take("rnn_hidden_dim", policy.take("rnn_hidden_size", 256))
        model["rnn_num_layers"] = policy.take("rnn_num_layers", 1)
    if class_name == "CNNModel":
        model["cnn_cfg"] = policy.take(f"{name}_cnn_cfg", None)
    return model


def _noise_of_policy(policy: Section, acting: str) -> dict[str, Any]:
    return {
        "stochastic": True,
        "init_noise_std": policy.take("init_noise_std", 1.0 if acting == "actor" else 0.1),
        "noise_std_type": policy.take("noise_std_type", "scalar"),
        "state_dependent_std": policy.take("state_dependent_std", False),
    }


def _sets_of_policy(sets: dict[str, Any], acting: str, other: str) -> dict[str, Any]:
    """The set of what acts was called `policy`."""
    if "policy" in sets:
        sets[acting] = sets.pop("policy")
    if other not in sets and list(sets.get(acting, ["policy"])) != ["policy"]:
        raise ConfigError(
            f"{WHERE}.obs_groups.{other}",
            got="nothing",
            expected="the observation groups of this set: where it is not named, 3.x and 5.x take different ones",
            fix=f"3.x takes the group {other!r} if there is one, else {list(sets[acting])}.",
        )
    return sets


def _noise_to_distribution(model: Mapping[str, Any], where: str) -> dict[str, Any]:
    """4.x to 5.x: what is random about the output has a config of its own."""
    section = Section(model, where)
    stochastic, std, std_type, state_dependent = (section.take(*item) for item in _OLD_NOISE.items())
    current = {key: value for key, value in model.items() if key not in _OLD_NOISE}
    if stochastic and current.get("distribution_cfg") is None:
        name = "HeteroscedasticGaussianDistribution" if state_dependent else "GaussianDistribution"
        current["distribution_cfg"] = {"class_name": name, "init_std": std, "std_type": std_type}
    return current
