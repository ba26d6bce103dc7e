"""rsl_rl's algorithms as ours. No torch here."""

from __future__ import annotations

from typing import Any

from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    DistillationCfg,
    FixedCfg,
    HuberLossCfg,
    MseLossCfg,
    OptimizerName,
    PpoCfg,
    RateScheduleCfg,
    RndCfg,
    RndLinearCfg,
    RndScheduleCfg,
    RndStepCfg,
    SymmetryCfg,
)
from fleetfoot.compat.networks import translate_mlp
from fleetfoot.compat.section import REQUIRED, Section
from fleetfoot.errors import ConfigError

__all__ = ["translate_distillation", "translate_ppo"]

_SAME_NUMBERS: dict[str, Any] = {"time_limit_bootstrap": "previous_value"}
_SAME_STUDENT: dict[str, Any] = {"window_remainder": "next_pass", "memory_after_update": "learning"}


def translate_ppo(section: Section, same_numbers: bool, *, rnd_size: int | None, step_dt: float | None) -> PpoCfg:
    """Proximal policy optimisation.

    Args:
        section: The algorithm.
        same_numbers: Also do what rsl_rl does where fleetfoot knows better.
        rnd_size: Size of what random network distillation looks at, if it is known.
        step_dt: Duration of a control step [s], if it is known.
    """
    _how_it_is_computed(section)
    if section.take("share_cnn_encoders", False):
        section.notes.append(
            f"{section.where}.share_cnn_encoders: rsl_rl's optimiser has what is shared twice and moves it twice in a "
            "step; here it moves once."
        )
    return section.build(
        PpoCfg,
        same={
            "num_learning_epochs": 5,
            "num_mini_batches": 4,
            "learning_rate": 1e-3,
            "gamma": 0.99,
            "lam": 0.95,
            "clip_param": 0.2,
            "use_clipped_value_loss": True,
            "value_loss_coef": 1.0,
            "entropy_coef": 0.01,
            "max_grad_norm": 1.0,
            "normalize_advantage_per_mini_batch": False,
            "share_cnn_encoders": False,
        },
        optimizer=_optimizer(section),
        schedule=_schedule(section),
        symmetry=_symmetry(section, same_numbers),
        rnd=_rnd(section, same_numbers, rnd_size, step_dt),
        shuffle="once",  # what the config was tuned with
        drop_remainder=True,
        **(_SAME_NUMBERS if same_numbers else {}),
    )


def translate_distillation(section: Section, same_numbers: bool, *, num_steps: object) -> DistillationCfg:
    """A student that learns from a teacher.

    Args:
        section: The algorithm.
        same_numbers: Also do what rsl_rl does where fleetfoot knows better.
        num_steps: Steps of a rollout, as they are written there.
    """
    _how_it_is_computed(section)
    section.only("rnd_cfg", None, fix="A student is not rewarded, so nothing can be added to it.")
    section.only("symmetry_cfg", None, fix="A student learns from what its teacher did, not from mirror images of it.")
    cfg = section.build(
        DistillationCfg,
        same={"num_learning_epochs": 1, "gradient_length": 15, "learning_rate": 1e-3, "max_grad_norm": None},
        max_grad_norm=section.take("max_grad_norm", None) or None,  # it is asked there whether it is true
        optimizer=_optimizer(section),
        loss=section.choose("loss_type", "mse", {"mse": MseLossCfg(), "huber": HuberLossCfg(delta=1.0)}),
        **(_SAME_STUDENT if same_numbers else {}),
    )
    steps = cfg.num_learning_epochs * num_steps if isinstance(num_steps, int) else 0
    if same_numbers and (left := steps % cfg.gradient_length):
        section.notes.append(
            f"{section.where}.gradient_length: the last {left} of the {steps} steps of an update teach nothing, as in "
            "rsl_rl (window_remainder)."
        )
    return cfg


def _how_it_is_computed(section: Section) -> None:
    """What any algorithm there has."""
    section.without_effect("use_mixed_precision", False, "the update computes in single precision")
    section.leave(("grad_reduce_bucket_mb",))


def _optimizer(section: Section) -> OptimizerName:
    names: dict[str, OptimizerName] = {"adam": "adam", "adamw": "adamw", "sgd": "sgd", "rmsprop": "rmsprop"}
    name = section.choose("optimizer", "adam", names, any_case=True)
    if name != "adam" and section.has("rnd_cfg"):
        section.notes.append(f"{section.where}.optimizer: the predictor of curiosity learns with {name} too, not Adam.")
    return name


def _schedule(section: Section) -> RateScheduleCfg:
    """The learning rate follows the divergence if asked to, and if there is one to aim at; else it stays."""
    schedule, desired_kl = section.take("schedule", "adaptive"), section.take("desired_kl", 0.01)
    if schedule != "adaptive" or desired_kl is None:
        return FixedCfg()
    return section.build(AdaptiveKlCfg, same={"desired_kl": 0.01})


def _symmetry(section: Section, same_numbers: bool) -> SymmetryCfg | None:
    if not section.has("symmetry_cfg"):
        return None
    part = section.part("symmetry_cfg")
    part.leave(("data_augmentation_func",))  # the environment says what its mirror images are
    is_augmented, has_loss = part.take("use_data_augmentation", False), part.take("use_mirror_loss", False)
    coef = part.take("mirror_loss_coeff", 0.0) if has_loss else 0.0
    if not is_augmented and coef == 0:
        part.notes.append(f"{part.where} has no effect: how symmetric the policy is, is not measured without using it.")
        return None
    return part.build(
        SymmetryCfg,
        same={},
        renamed={"mirror_loss_coef": ("mirror_loss_coeff", 0.0)},
        augmentation=("append" if same_numbers else "replace") if is_augmented else None,
        **({} if has_loss else {"mirror_loss_coef": 0.0}),
    )


def _rnd(section: Section, same_numbers: bool, size: int | None, step_dt: float | None) -> RndCfg | None:
    if not section.has("rnd_cfg"):
        return None
    part = section.part("rnd_cfg")
    part.leave(("num_states", "obs_groups", "device"))  # older versions write them into the config that they are given
    is_normalized = part.take("reward_normalization", False)
    return part.build(
        RndCfg,
        same={"weight": 0.0, "num_outputs": REQUIRED, "learning_rate": 1e-3, "state_normalization": False},
        predictor=translate_mlp(part, size, key="predictor_hidden_dims", default=REQUIRED),
        target=translate_mlp(part, size, key="target_hidden_dims", default=REQUIRED),
        reward_normalization=("every_step" if same_numbers else "rollout") if is_normalized else None,
        episode_end="next_episode" if same_numbers else "final_observation",
        schedule=_rnd_schedule(part, same_numbers, step_dt),
    )


def _rnd_schedule(section: Section, same_numbers: bool, step_dt: float | None) -> RndScheduleCfg:
    if not section.has("weight_schedule"):
        return FixedCfg()
    part = section.part("weight_schedule")
    mode = part.choose("mode", REQUIRED, {mode: mode for mode in ("constant", "step", "linear")})
    if mode == "constant":
        return FixedCfg()
    final = _final_weight(part, same_numbers, step_dt)
    last = ("final_step", REQUIRED)
    if mode == "step":
        return part.build(RndStepCfg, same={}, renamed={"at": last}, final=final)
    begin, end = part.take("initial_step"), part.take(*last)
    steps = end - begin if isinstance(begin, int) and isinstance(end, int) else end
    named = {"begin": ("initial_step", REQUIRED), "steps": last}
    return part.build(RndLinearCfg, same={}, renamed=named, steps=steps, final=final)


def _final_weight(section: Section, same_numbers: bool, step_dt: float | None) -> Any:
    """Where the weight ends [1/s]: rsl_rl multiplies the weight by the duration of a step, but not this one."""
    final, where = section.take("final_value"), f"{section.where}.final_value"
    if not same_numbers or final == 0 or not isinstance(final, (int, float)):
        return final
    if step_dt is None:
        fix = "Say how long a step is, step_dt=env.step_dt, or take it as per second: same_numbers=False."
        raise ConfigError(where, got=f"{final} per step", expected="a known duration of a step", fix=fix)
    section.notes.append(f"{where} is per step, as in rsl_rl, though the weight that it ends is per second.")
    return final / step_dt
