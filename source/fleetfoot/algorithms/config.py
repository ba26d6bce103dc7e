"""Which algorithms there are to choose from. No torch here: this is data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from fleetfoot.core.config import (
    Count,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    UnitInterval,
    config,
)
from fleetfoot.models.config import MlpCfg

__all__ = [
    "AdaptiveKlCfg",
    "DistillationCfg",
    "FixedCfg",
    "GammaWarmupCfg",
    "HuberLossCfg",
    "ImitationLossCfg",
    "KlLossCfg",
    "LinearCfg",
    "MixingCfg",
    "MseLossCfg",
    "OptimizerName",
    "PpoCfg",
    "RateScheduleCfg",
    "RndCfg",
    "RndLinearCfg",
    "RndScheduleCfg",
    "RndStepCfg",
    "ScheduleCfg",
    "StepCfg",
    "SymmetryCfg",
]

OptimizerName: TypeAlias = Literal["adam", "adamw", "sgd", "rmsprop"]


@config
class FixedCfg:
    """The number stays as it is."""

    kind: Literal["fixed"] = "fixed"


@config
class StepCfg:
    """The number changes at once."""

    kind: Literal["step"] = "step"
    final: NonNegativeFloat = 0.0
    """What it is from then on."""
    at: Count = 1000
    """Iterations after which it changes."""


@config
class LinearCfg:
    """The number changes evenly, and then stays."""

    kind: Literal["linear"] = "linear"
    final: NonNegativeFloat = 0.0
    """Where it ends."""
    begin: NonNegativeInt = 0
    """Iterations before it begins to change."""
    iterations: Count = 1000
    """Iterations that it changes for."""


ScheduleCfg: TypeAlias = Annotated[FixedCfg | StepCfg | LinearCfg, Field(discriminator="kind")]
"""How a number changes in the course of a training; where it starts is a field of its own."""


@config
class AdaptiveKlCfg:
    """The learning rate follows how far the policy moves in a mini-batch (Schulman et al. 2017, section 4).

    Before the first gradient step of an update the divergence is what rounding leaves of zero, 1e-8 or so; where that
    is above zero the rate rises, as in rsl_rl.
    """

    kind: Literal["adaptive_kl"] = "adaptive_kl"
    desired_kl: PositiveFloat = 0.01
    """Kullback-Leibler divergence to aim at [nat]: above twice of it the rate falls, below half of it it rises."""
    factor: Annotated[FiniteFloat, Field(gt=1)] = 1.5
    """What the learning rate is divided or multiplied by."""
    min_learning_rate: PositiveFloat = 1e-5
    """The rate never falls below this."""
    max_learning_rate: PositiveFloat = 1e-2
    """The rate never rises above this."""


RateScheduleCfg: TypeAlias = Annotated[FixedCfg | StepCfg | LinearCfg | AdaptiveKlCfg, Field(discriminator="kind")]
"""How a learning rate changes."""


@config
class GammaWarmupCfg:
    """A discount that starts low and rises (François-Lavet et al. 2015, arXiv:1512.02011).

    While the horizon is short, boldness pays: a robot that still falls learns that moving is worth it before it learns
    that falling is not. With the long horizon from the start it first learns to stand still.
    """

    start: UnitInterval = 0.96
    """Discount per control step at the start."""
    begin: NonNegativeInt = 100
    """Iterations before it begins to rise."""
    iterations: Count = 200
    """Iterations that it then takes to become `gamma`; on the way `log(1 - discount)` changes evenly."""


@config
class SymmetryCfg:
    """Learning from the mirror images that the environment's robot has."""

    images: tuple[str, ...] | None = None
    """Names of the mirror images to use; null for all of them."""
    augmentation: Literal["replace", "append"] | None = "replace"
    """How samples are learned from in their images: `replace` each by a random one of them or itself, so that no epoch
    costs more; `append` all images to every mini-batch, as rsl_rl does; null for not."""
    mirror_loss_coef: NonNegativeFloat = 0.0
    """Weight of a loss on how differently the policy acts in an image: the mean squared error of its actions."""


@config
class RndStepCfg:
    """The weight of the bonus changes at once."""

    kind: Literal["step"] = "step"
    final: NonNegativeFloat = 0.0
    """The weight from then on [1/s]."""
    at: Count = 10_000
    """Control steps of each environment at which it changes."""


@config
class RndLinearCfg:
    """The weight of the bonus changes evenly, and then stays: curiosity while there is something to find."""

    kind: Literal["linear"] = "linear"
    final: NonNegativeFloat = 0.0
    """Where the weight ends [1/s]."""
    begin: NonNegativeInt = 0
    """Control steps of each environment before it begins to change."""
    steps: Count = 10_000
    """Control steps that it changes for."""


RndScheduleCfg: TypeAlias = Annotated[FixedCfg | RndStepCfg | RndLinearCfg, Field(discriminator="kind")]
"""How the weight of a bonus changes: with every step, as in rsl_rl, also inside of an iteration."""


@config
class RndCfg:
    """Random network distillation (Burda et al. 2018, arXiv:1810.12894): a reward for what has not been seen before.

    A network learns to predict what another one, which is never trained, makes of an observation. Where it errs, there
    is something new. It looks at the observation groups of `agent.obs_groups.rnd_state`.
    """

    weight: NonNegativeFloat = 1.0
    """Reward per second for an error of one [1/s]: as a reward term it is multiplied by the duration of a step."""
    schedule: RndScheduleCfg = FixedCfg()
    """How the weight changes in the course of the training."""
    num_outputs: Count = 16
    """Numbers that are predicted."""
    predictor: MlpCfg = MlpCfg(hidden_dims=(64, 64))
    target: MlpCfg = MlpCfg(hidden_dims=(64, 64))
    """The network that is never trained."""
    learning_rate: PositiveFloat = 1e-3
    """Step size of the predictor; no schedule changes it."""
    state_normalization: bool = True
    """Scale what both networks see by its running mean and standard deviation."""
    reward_normalization: Literal["rollout", "every_step"] | None = "rollout"
    """Divide errors by the standard deviation of their discounted sum: all by that after the `rollout` or, as rsl_rl
    does, those of `every_step` by that after it; null for not."""
    reward_discount: UnitInterval = 0.99
    """Discount of that sum, per control step; the sum goes on when an episode ends."""
    episode_end: Literal["final_observation", "next_episode"] = "final_observation"
    """What the last step of an episode is rewarded for: its last observation or, as in rsl_rl, the first one of the
    episode that follows."""


@config
class PpoCfg:
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347)."""

    kind: Literal["ppo"] = "ppo"
    num_learning_epochs: Count = 5
    """Passes over each rollout."""
    num_mini_batches: Count = 4
    """Mini-batches per pass; must divide the number of sequences of a rollout, unless `drop_remainder`."""
    sequence_length: Count | None = None
    """Steps that are learned from in one piece; must divide `num_steps_per_env`. Null for single steps, and for the
    whole rollout where a network has a memory, which is trained through so many steps."""
    shuffle: Literal["every_epoch", "once", "never"] = "every_epoch"
    """When the order of the samples is drawn. rsl_rl draws it once per rollout, and never for recurrent networks."""
    drop_remainder: bool = False
    """Leave out the last samples where the mini-batches do not come out even, as rsl_rl does, instead of refusing."""
    learning_rate: PositiveFloat = 1e-3
    """Step size at the start."""
    optimizer: OptimizerName = "adam"
    """What makes steps of gradients: torch's Adam, AdamW, SGD or RMSprop with its defaults. The same step size means
    something else to each."""
    schedule: RateScheduleCfg = AdaptiveKlCfg()
    """How it changes. What falls by plan takes large steps to find a gait, and small ones to polish it."""
    gamma: UnitInterval = 0.99
    """Discount per control step."""
    gamma_warmup: GammaWarmupCfg | None = None
    """Begin with a lower discount; null for not."""
    lam: UnitInterval = 0.95
    """Decay of generalised advantage estimation, per control step."""
    time_limit_bootstrap: Literal["final_observation", "previous_value"] = "final_observation"
    """What a truncated episode would have been worth: the value of its last observation, or, as in rsl_rl, that of the
    one before, from which the last action was taken."""
    clip_param: PositiveFloat = 0.2
    """How far the probability ratio, and a clipped value, may move from the old ones."""
    use_clipped_value_loss: bool = True
    """Whether the value may move only by `clip_param` in an update."""
    value_loss_coef: NonNegativeFloat = 1.0
    """Weight of the value loss."""
    entropy_coef: NonNegativeFloat = 0.01
    """Weight of the entropy bonus, at the start."""
    entropy_schedule: ScheduleCfg = FixedCfg()
    """How that weight changes: exploration while a gait is looked for, precision after."""
    max_grad_norm: PositiveFloat = 1.0
    """The gradient of each network is scaled down to this norm."""
    reward_groups: Annotated[Mapping[str, NonNegativeFloat], Field(min_length=2)] | None = None
    """A critic for each group of rewards: name to the weight of its advantages, which are normalised within the group
    first. The groups are those of the environment, or `task` if it has none, and `rnd` where it is used. Null for one
    critic of the whole reward."""
    normalize_advantage_per_mini_batch: bool = False
    """Normalise advantages over each mini-batch instead of over the rollout."""
    share_cnn_encoders: bool = False
    """Whether the critic sees images through the actor's networks, which then learn from both."""
    symmetry: SymmetryCfg | None = None
    """Learn from mirror images; null for not."""
    rnd: RndCfg | None = None
    """Reward what is new; null for not."""
    critic_warmup: NonNegativeInt = 0
    """Iterations at the start in which only the critic learns. With a policy from elsewhere and a critic that knows
    nothing yet, the first advantages are noise, which would undo what the policy can do."""


@config
class MseLossCfg:
    """Squared difference between the student's and the teacher's most likely action, mean over actions."""

    kind: Literal["mse"] = "mse"


@config
class HuberLossCfg:
    """Half the squared difference of the most likely actions where it is small, linear beyond (Huber 1964)."""

    kind: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    """Difference from which on it is linear, in units of the action."""


@config
class KlLossCfg:
    """Kullback-Leibler divergence of the student's distribution from the teacher's [nat]: the spread is learned too."""

    kind: Literal["kl"] = "kl"


ImitationLossCfg: TypeAlias = Annotated[MseLossCfg | HuberLossCfg | KlLossCfg, Field(discriminator="kind")]


def _ends_as_a_share(schedule: ScheduleCfg) -> ScheduleCfg:
    if not isinstance(schedule, FixedCfg) and schedule.final > 1.0:
        raise ValueError("a share of at most 1 in the end")
    return schedule


@config
class MixingCfg:
    """The teacher acts in a share of the environments (DAgger: Ross et al. 2011, arXiv:1011.0686).

    A student that falls at once sees nothing but falls. Led by the teacher it first sees what good behaviour looks
    like, and later what its own mistakes lead to.
    """

    share: UnitInterval = 1.0
    """Share of the environments that the teacher acts in, at the start."""
    schedule: Annotated[ScheduleCfg, AfterValidator(_ends_as_a_share)] = LinearCfg(iterations=100)
    """How that changes."""
    draw: Literal["rollout", "step"] = "rollout"
    """When it is drawn who acts in an environment: for a whole rollout, or for every step anew."""


@config
class DistillationCfg:
    """A student learns to act like a teacher, in the states that it gets into itself.

    The rollout is learned from in windows, in the order of time; what a student with a memory remembers is carried from
    one to the next, its gradient is not (truncated backpropagation through time, Williams and Peng 1990).
    """

    kind: Literal["distillation"] = "distillation"
    num_learning_epochs: Count = 1
    """Passes over each rollout."""
    num_mini_batches: Count = 1
    """Parts that the environments are learned from in, one after the other; must divide their number."""
    gradient_length: Count = 15
    """Steps of a window, of which one gradient step is made; a student with a memory is trained through so many."""
    window_remainder: Literal["shorter", "next_pass"] = "shorter"
    """What becomes of the last steps of a rollout that fill no window: a `shorter` one or, as in rsl_rl, the beginning
    of a window that the `next_pass` over the rollout completes; after the last pass they teach nothing."""
    memory_after_update: Literal["acting", "learning"] = "acting"
    """What the student remembers when the next rollout begins: what it did after `acting` or, as in rsl_rl, what it
    does after `learning`, of steps seen with parameters that changed on the way; teachers then remember nothing."""
    loss: ImitationLossCfg = MseLossCfg()
    learning_rate: PositiveFloat = 1e-3
    """Step size."""
    optimizer: OptimizerName = "adam"
    """What makes steps of gradients: torch's Adam, AdamW, SGD or RMSprop with its defaults."""
    max_grad_norm: PositiveFloat | None = None
    """The gradient is scaled down to this norm; null for not. A window's loss is a sum over its steps."""
    mixing: MixingCfg | None = None
    """Let the teacher act as well; null for never."""
