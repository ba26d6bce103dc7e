"""A `train_cfg` of rsl_rl 5.x, or an agent config of Isaac Lab, as one of ours.

Here, in `networks` and in `algorithms`, each function is the table for one dict of theirs: which keys mean the same,
which are called otherwise, which follow from several, and which cannot be had. A key that is in none of them is an
error. What was written for rsl_rl 3.x or 4.x goes through `migration.migrate_train_cfg` first.

No torch here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from fleetfoot.compat.algorithms import translate_distillation, translate_ppo
from fleetfoot.compat.migration import current_logger, migrate_isaaclab_cfg
from fleetfoot.compat.networks import translate_actor, translate_critic, translate_student, translate_teacher
from fleetfoot.compat.section import REQUIRED, Section
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import (
    DistillationGroupsCfg,
    DistillationRunnerCfg,
    ObsGroupsCfg,
    OnPolicyRunnerCfg,
    RunnerCfg,
)

__all__ = ["IsaacLabCfg", "ObservationSpec", "translate_train_cfg"]

ObservationSpec = Mapping[str, tuple[int, ...]]
"""Group name to the shape of one environment's observation."""

_OF_THE_SCRIPT = (
    "device",
    "clip_actions",
    "init_at_random_ep_len",
    "resume",
    "load_run",
    "load_checkpoint",
    "multi_gpu",
    "neptune_project",
    "store_code_state",
    "upload_model",
    "wandb_tags",
)
"""Keys that Isaac Lab, mjlab or the runner itself puts there, for the script or the environment's wrapper to read."""

_RUN: Mapping[str, Any] = {
    "experiment_name": "rsl_rl",
    "run_name": "",
    "seed": 42,
    "max_iterations": 1500,
    "num_steps_per_env": REQUIRED,
    "save_interval": REQUIRED,
}
"""What is called the same in every run, with the defaults there."""


@runtime_checkable
class IsaacLabCfg(Protocol):
    """An agent config of Isaac Lab: `RslRlOnPolicyRunnerCfg` and its like."""

    def to_dict(self) -> dict[str, Any]:
        """All fields; `{}` for what is not set."""
        ...


def translate_train_cfg(
    train_cfg: Mapping[str, Any] | IsaacLabCfg,
    *,
    observation_spec: ObservationSpec | None = None,
    step_dt: float | None = None,
    same_numbers: bool = True,
    refuse_unknown: bool = True,
    report: Callable[[str], None] | None = None,
) -> RunnerCfg:
    """Our config of the run that rsl_rl would make of theirs; which of its runners is meant, the algorithm says.

    Args:
        train_cfg: What rsl_rl's runner takes, or the object that Isaac Lab makes it of.
        observation_spec: What the environment observes; needed where the config leaves it to the environment: a set of
            observations that is not named, a layer as wide as its input.
        step_dt: Duration of a control step [s]; needed where the config has per step what is per second here.
        same_numbers: Do what rsl_rl does also where fleetfoot knows better: what a truncated episode would have been
            worth is the value before its last step, and networks that remember learn from the environments in their
            order; a student learns nothing from steps that fill no window.
        refuse_unknown: Whether a key of the outermost dict that rsl_rl would not even look at is an error, or is only
            reported.
        report: Takes what a person should know, a sentence at a time; by default a warning.

    Raises:
        ConfigError: A key is unknown, or its value cannot be had here.
    """
    data = migrate_isaaclab_cfg(train_cfg.to_dict()) if isinstance(train_cfg, IsaacLabCfg) else train_cfg
    section = Section(data, "train_cfg")
    cfg = _runner(section, observation_spec, same_numbers, step_dt)
    section.finish(refuse=refuse_unknown)
    for note in section.notes:
        if report is None:
            warnings.warn(note, stacklevel=2)
        else:
            report(note)
    return cfg


def _runner(section: Section, spec: ObservationSpec | None, same_numbers: bool, step_dt: float | None) -> RunnerCfg:
    for old in ("policy", "empirical_normalization"):
        if section.take(old, {}) not in ({}, None):
            fix = "Bring the config to the form of 5.x: migrate_train_cfg(train_cfg, version)."
            raise ConfigError(f"{section.where}.{old}", got="a setting of rsl_rl 3.x", expected="none", fix=fix)
    section.leave(_OF_THE_SCRIPT)
    section.without_effect("check_for_nan", True, "what is not finite is always looked for")
    section.without_effect("torch_compile_mode", None, "networks are not compiled")
    algorithm = section.part("algorithm")
    if algorithm.class_name("PPO", "Distillation") == "PPO":
        section.class_name("OnPolicyRunner", default="OnPolicyRunner")
        return _on_policy(section, algorithm, spec, same_numbers, step_dt)
    section.class_name("DistillationRunner", default="DistillationRunner")
    return _distillation(section, algorithm, spec, same_numbers)


def _on_policy(
    section: Section, algorithm: Section, spec: ObservationSpec | None, same_numbers: bool, step_dt: float | None
) -> OnPolicyRunnerCfg:
    groups = _obs_groups(section, spec, is_curious=algorithm.has("rnd_cfg"))
    ppo = translate_ppo(algorithm, same_numbers, rnd_size=_size(groups.rnd_state, spec), step_dt=step_dt)
    actor = translate_actor(section.part("actor"), _size(groups.actor, spec))
    critic = translate_critic(section.part("critic"), _size(groups.critic, spec))
    if same_numbers and (actor.memory is not None or critic.memory is not None):
        ppo = replace(ppo, shuffle="never")  # there, networks that remember learn from the environments in their order
    return section.build(
        OnPolicyRunnerCfg, same=_RUN, obs_groups=groups, algorithm=ppo, actor=actor, critic=critic, **_logger(section)
    )


def _distillation(
    section: Section, algorithm: Section, spec: ObservationSpec | None, same_numbers: bool
) -> DistillationRunnerCfg:
    part = section.part("obs_groups", section.take("obs_groups", {}))
    sets: dict[str, Any] = {name: _obs_set(part, name, spec) for name in ("student", "teacher")}
    groups = part.build(DistillationGroupsCfg, same={}, **sets)
    return section.build(
        DistillationRunnerCfg,
        same=_RUN,
        obs_groups=groups,
        algorithm=translate_distillation(algorithm, same_numbers, num_steps=section.take("num_steps_per_env")),
        student=translate_student(section.part("student"), _size(groups.student, spec)),
        teacher=translate_teacher(section.part("teacher"), _size(groups.teacher, spec)),
        **_logger(section),
    )


def _logger(section: Section) -> dict[str, Any]:
    """Where metrics go; the word `wandb` and its project beside it say the same as the dict."""
    name, project = "tensorboard", section.take("wandb_project", None)
    logger = current_logger(section.take("logger", name), {"wandb_project": project})
    if logger != "tensorboard":
        part = section.part("logger", logger)
        name = part.class_name("tensorboard", "WandbLogWriter")
        project = part.take("project_name", None if name == "tensorboard" else REQUIRED)
    fields = {"logger": "wandb" if name == "WandbLogWriter" else "tensorboard", "wandb_project": project}
    return {field: value for field, value in fields.items() if value is not None}


def _obs_groups(section: Section, spec: ObservationSpec | None, *, is_curious: bool) -> ObsGroupsCfg:
    part = section.part("obs_groups", section.take("obs_groups", {}))
    used = ("actor", "critic", *(("rnd_state",) if is_curious or part.has("rnd_state") else ()))
    sets: dict[str, Any] = {name: _obs_set(part, name, spec) for name in used}
    return part.build(ObsGroupsCfg, same={}, **sets)


def _obs_set(part: Section, name: str, spec: ObservationSpec | None) -> Sequence[str]:
    """The groups of a set; where none are named, the group of the same name, else `policy`, as rsl_rl takes them."""
    if part.has(name):
        return part.take(name)
    where = f"{part.where}.{name}"
    if spec is None:
        fix = "Name them, or say what the environment observes: observation_spec=env.observation_spec."
        raise ConfigError(where, got="nothing", expected="the observation groups of this set", fix=fix)
    found = [group for group in (name, "policy") if group in spec]
    if not found:
        have = f"observation groups of the environment: {', '.join(spec)}"
        raise ConfigError(where, got="nothing", expected=have, fix="Name them.")
    part.notes.append(f"{where} is not set: it is taken to be [{found[0]!r}], as rsl_rl does.")
    return found[:1]


def _size(groups: Sequence[str], spec: ObservationSpec | None) -> int | None:
    """How many numbers the groups are together, if it is known."""
    if spec is None or any(len(spec.get(group, ())) != 1 for group in groups):
        return None
    return sum(spec[group][0] for group in groups)
