"""rsl_rl's algorithms as ours. No torch here."""

from __future__ import annotations

from typing import Any

from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg, PpoCfg, ScheduleCfg, SymmetryCfg
from fleetfoot.compat.section import Section

__all__ = ["translate_ppo"]


def translate_ppo(section: Section, same_numbers: bool) -> PpoCfg:
    """Proximal policy optimisation.

    Args:
        section: The algorithm.
        same_numbers: Also do what rsl_rl does where fleetfoot knows better.
    """
    section.class_name("PPO")
    section.choose("optimizer", "adam", {"adam": None}, any_case=True)
    section.only("share_cnn_encoders", False, fix="Actor and critic have networks of their own.")
    section.only("rnd_cfg", None, fix="There is no reward for curiosity.")
    section.without_effect("use_mixed_precision", False, "the update computes in single precision")
    section.leave(("grad_reduce_bucket_mb",))
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
        },
        schedule=_schedule(section),
        symmetry=_symmetry(section),
        drop_remainder=True,
        **(_SAME_NUMBERS if same_numbers else {}),
    )


_SAME_NUMBERS: dict[str, Any] = {"time_limit_bootstrap": "previous_value", "shuffle": "once"}


def _schedule(section: Section) -> ScheduleCfg:
    """The learning rate follows the divergence if asked to, and if there is one to aim at; else it stays."""
    schedule, desired_kl = section.take("schedule", "adaptive"), section.take("desired_kl", 0.01)
    if schedule != "adaptive" or desired_kl is None:
        return FixedCfg()
    return section.build(AdaptiveKlCfg, same={"desired_kl": 0.01})


def _symmetry(section: Section) -> SymmetryCfg | None:
    if not section.has("symmetry_cfg"):
        return None
    part = section.part("symmetry_cfg")
    part.leave(("data_augmentation_func", "mirror_loss_coeff"))  # the environment says what its mirror images are
    part.only("use_mirror_loss", False, fix="Mirror images are learned from as samples.")
    if not part.take("use_data_augmentation", False):
        part.notes.append(f"{part.where} has no effect: how symmetric the policy is, is not measured without using it.")
        return None
    part.notes.append(
        f"{part.where}: each sample is learned from in one of its mirror images, drawn at random; rsl_rl adds them all."
    )
    return SymmetryCfg()
