"""Configs in, algorithm out: everything is checked before anything is allocated."""

from __future__ import annotations

from typing import assert_never

import torch

from fleetfoot.algorithms.algorithm import Algorithm
from fleetfoot.algorithms.build_distillation import check_distillation
from fleetfoot.algorithms.config import RndCfg
from fleetfoot.algorithms.divisors import divisors
from fleetfoot.algorithms.extension import BatchTransform, Extensions, ExtraLoss, RewardBonus
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.algorithms.rnd import Rnd, RndNetworks
from fleetfoot.algorithms.symmetry import Symmetry
from fleetfoot.core.distributed import ALONE, Ranks
from fleetfoot.core.seeding import derive_seed, make_generator, torch_seeded
from fleetfoot.core.symmetry import MirrorImage, SymmetricEnv, check_mirror_images
from fleetfoot.core.vec_env import WHOLE_REWARD, GroupedRewardEnv, VecEnv
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor, Critic
from fleetfoot.models.build import build_actor, build_critic, build_inputs, check_action_range, check_groups
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg, RunnerCfg
from fleetfoot.storage.rollout import RolloutBuffer

__all__ = ["build_algorithm", "check_config", "count_environments"]


def build_algorithm(env: VecEnv, cfg: OnPolicyRunnerCfg, device: torch.device, ranks: Ranks = ALONE) -> Algorithm:
    """The on-policy algorithm that a config asks for, with its networks and its rollout buffer.

    Networks are the same on all ranks, and follow from the config's seed; all else that is random is each rank's own.

    Raises:
        ConfigError: The config does not fit the environment.
    """
    _check_ppo(env, cfg)
    return _build_ppo(env, cfg, device, ranks)


def count_environments(env: VecEnv, ranks: Ranks) -> int:
    """How many all ranks have; what is averaged over ranks counts each rank the same.

    Raises:
        ConfigError: Some have more than others.
    """
    each = ranks.share(env.num_envs)
    if len(set(each)) > 1:
        raise ConfigError("env.scene.num_envs", got=f"{each} on the ranks", expected="as many on each")
    return sum(each)


def check_config(env: VecEnv, cfg: RunnerCfg) -> None:
    """Find what cannot work between a config and an environment.

    Raises:
        ConfigError: An observation group does not exist, or the samples don't divide into mini-batches.
    """
    match cfg:
        case OnPolicyRunnerCfg():
            _check_ppo(env, cfg)
        case DistillationRunnerCfg():
            check_distillation(env, cfg)
        case _:
            assert_never(cfg)


def _check_ppo(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    check_groups(cfg.obs_groups.actor, env.observation_spec, "agent.obs_groups.actor")
    check_groups(cfg.obs_groups.critic, env.observation_spec, "agent.obs_groups.critic")
    if cfg.algorithm.rnd is not None:
        check_groups(cfg.obs_groups.rnd_state, env.observation_spec, "agent.obs_groups.rnd_state")
    _mirror_images(env, cfg)
    _check_reward_groups(env, cfg)
    _check_sequences(env, cfg)
    with torch.device("meta"):  # what the networks refuse, without allocating them
        _build_networks(env, cfg)


def _sequence_length(cfg: OnPolicyRunnerCfg) -> int:
    """Steps of a sequence: single ones, or the whole rollout where there is something to remember."""
    remembers = cfg.actor.memory is not None or cfg.critic.memory is not None
    return cfg.algorithm.sequence_length or (cfg.num_steps_per_env if remembers else 1)


def _check_sequences(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    steps, length, parts = cfg.num_steps_per_env, _sequence_length(cfg), cfg.algorithm.num_mini_batches
    if steps % length:
        raise ConfigError(
            "agent.algorithm.sequence_length",
            got=f"{length}, with rollouts of {steps} steps",
            expected=f"one of {divisors(steps, steps)}",
            fix="Or change agent.num_steps_per_env.",
        )
    count = steps // length * env.num_envs
    enough = count >= parts if cfg.algorithm.drop_remainder else count % parts == 0
    if not enough:
        what = "samples" if length == 1 else f"sequences of {length} steps"
        raise ConfigError(
            "agent.algorithm.num_mini_batches",
            got=f"{parts}, with {steps} steps x {env.num_envs} environments = {count} {what}",
            expected=f"a divisor of the number of {what.split()[0]}",
            fix=f"Use one of {divisors(count, 4 * parts)}, or change env.scene.num_envs or agent.num_steps_per_env.",
        )

    samples = count * length // (parts if cfg.algorithm.normalize_advantage_per_mini_batch else 1)
    if samples < 2:
        raise ConfigError(
            "agent.num_steps_per_env",
            got=f"{steps}, with {env.num_envs} environments: {samples} sample to normalise advantages over",
            expected="at least two samples",
            fix="Take more steps or more environments.",
        )


def _check_reward_groups(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    wanted = cfg.algorithm.reward_groups
    known = (env.reward_groups if isinstance(env, GroupedRewardEnv) else ()) or (WHOLE_REWARD,)
    known += () if cfg.algorithm.rnd is None else ("rnd",)
    if wanted is not None and set(wanted) != set(known):
        expected = f"a weight for each of: {', '.join(known)}"
        fix = "Set it to null for one critic of the whole reward."
        raise ConfigError("agent.algorithm.reward_groups", got=", ".join(wanted), expected=expected, fix=fix)


def _build_ppo(env: VecEnv, cfg: OnPolicyRunnerCfg, device: torch.device, ranks: Ranks) -> Ppo:
    with torch_seeded(derive_seed(cfg.seed, "networks")):
        actor, critic = _build_networks(env, cfg)
    actor, critic = actor.to(device), critic.to(device)
    buffer = _build_buffer(env, cfg, actor, device)
    extensions = _build_extensions(env, cfg, actor, critic, buffer, ranks)
    return Ppo(actor, critic, buffer, cfg.algorithm, ranks.own_seed(cfg.seed), extensions, ranks)


def _build_networks(env: VecEnv, cfg: OnPolicyRunnerCfg) -> tuple[Actor, Critic]:
    spec, groups = env.observation_spec, cfg.obs_groups
    actor = build_actor(cfg.actor, groups.actor, spec, env.action_spec.size)
    num_values = len(cfg.algorithm.reward_groups or (WHOLE_REWARD,))
    if not cfg.algorithm.share_cnn_encoders:
        return actor, build_critic(cfg.critic, groups.critic, spec, num_values)
    images = {group for group in groups.critic if len(spec[group]) == 3}
    if not images or not images <= actor.inputs.images.keys():
        raise ConfigError(
            "agent.algorithm.share_cnn_encoders",
            got=f"true, where the critic sees {', '.join(sorted(images)) or 'no image'}",
            expected=f"images that the actor sees as well: {', '.join(actor.inputs.images) or 'there is none'}",
            fix="Set it to false, or give both the same images in agent.obs_groups.",
        )
    critic = build_critic(cfg.critic, groups.critic, spec, num_values, actor.inputs.image_encoders)
    scaled = [images & inputs.image_normalizers.keys() for inputs in (actor.inputs, critic.inputs)]
    if scaled[0] != scaled[1]:
        got = f"images that are scaled: {', '.join(sorted(scaled[1])) or 'none'}"
        expected = f"those of the actor, whose networks see them: {', '.join(sorted(scaled[0])) or 'none'}"
        raise ConfigError("agent.critic.obs_normalization", got=got, expected=expected)
    return actor, critic


def _build_buffer(env: VecEnv, cfg: OnPolicyRunnerCfg, actor: Actor, device: torch.device) -> RolloutBuffer:
    groups, rnd, spec = cfg.obs_groups, cfg.algorithm.rnd, env.observation_spec
    new = groups.rnd_state if rnd else ()
    final = new if rnd and rnd.episode_end == "final_observation" else ()
    kept = {group: spec[group] for group in (*groups.actor, *groups.critic, *new)}
    return RolloutBuffer(
        cfg.num_steps_per_env,
        env.num_envs,
        _sequence_length(cfg),
        kept,
        tuple(dict.fromkeys((*groups.critic, *final))),
        actor.example(1, spec, device),
        actor.memory.initial_state(1, device),
        device,
    )


def _build_extensions(
    env: VecEnv, cfg: OnPolicyRunnerCfg, actor: Actor, critic: Critic, buffer: RolloutBuffer, ranks: Ranks
) -> Extensions:
    bonuses: list[RewardBonus] = []
    transforms: list[BatchTransform] = []
    losses: list[ExtraLoss] = []
    if (rnd := cfg.algorithm.rnd) is not None:
        curiosity = _build_rnd(env, cfg, rnd, buffer.rewards.device, ranks)
        bonuses.append(curiosity)
        losses.append(curiosity)
    if (symmetry := cfg.algorithm.symmetry) is not None:
        images = _mirror_images(env, cfg)
        generator = make_generator(ranks.own_seed(cfg.seed), "mirroring", buffer.rewards.device)
        mirror = Symmetry(symmetry, images, tuple(buffer.obs), actor, critic, buffer.num_envs, generator)
        transforms.append(mirror)
        losses += [mirror] if symmetry.mirror_loss_coef else []
    return Extensions(bonuses=tuple(bonuses), transforms=tuple(transforms), losses=tuple(losses))


def _build_rnd(env: VecEnv, cfg: OnPolicyRunnerCfg, rnd: RndCfg, device: torch.device, ranks: Ranks) -> Rnd:
    groups, spec = cfg.obs_groups.rnd_state, env.observation_spec
    inputs = build_inputs(groups, spec, rnd.state_normalization, "agent.obs_groups.rnd_state")
    with torch_seeded(derive_seed(cfg.seed, "rnd")):
        networks = RndNetworks(rnd, inputs).to(device)
    ranks.broadcast((networks,))  # also what is never trained
    return Rnd(rnd, networks, env.step_dt, env.num_envs, ranks)


def _mirror_images(env: VecEnv, cfg: OnPolicyRunnerCfg) -> tuple[MirrorImage, ...]:
    """Those that the config asks for, sound ones.

    Raises:
        ConfigError: The environment has none, or none of that name.
        ContractError: What the environment declares is no mirror image.
    """
    symmetry = cfg.algorithm.symmetry
    if symmetry is None:
        return ()
    images = {image.name: image for image in env.mirror_images} if isinstance(env, SymmetricEnv) else {}
    wanted = tuple(images) if symmetry.images is None else symmetry.images
    where, fix = "agent.algorithm.symmetry", "Set it to null to learn without."
    if not wanted or any(name not in images for name in wanted):
        known = f"mirror images of this environment, which has {', '.join(images) or 'none'}"
        raise ConfigError(where, got=", ".join(wanted) or "symmetry asked for", expected=known, fix=fix)
    if symmetry.augmentation is None and symmetry.mirror_loss_coef == 0:
        got, expected = "neither augmentation nor a mirror loss", "one of them, or both"
        raise ConfigError(where, got=got, expected=expected, fix=fix)
    _require_flat(env, cfg)
    actions = env.action_spec
    check_mirror_images(images.values(), env.observation_spec, actions.size, actions.names)
    chosen = tuple(images[name] for name in wanted)
    check_action_range(cfg.actor.distribution, chosen)
    return chosen


def _require_flat(env: VecEnv, cfg: OnPolicyRunnerCfg) -> None:
    """Refuse to mirror pictures, which a signed permutation of a few numbers does not do."""
    groups = cfg.obs_groups
    seen = (*groups.actor, *groups.critic, *(groups.rnd_state if cfg.algorithm.rnd else ()))
    pictures = [group for group in dict.fromkeys(seen) if len(env.observation_spec[group]) != 1]
    if pictures:
        got = f"symmetry asked for, and pictures ({', '.join(map(repr, pictures))}) in agent.obs_groups"
        fix = "Set it to null to learn without."
        raise ConfigError(
            "agent.algorithm.symmetry", got=got, expected="flat groups: pictures are not mirrored", fix=fix
        )
