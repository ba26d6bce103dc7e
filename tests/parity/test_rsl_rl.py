"""The numbers of rsl_rl 5.5.1, from the same networks and the same rollout.

Time limits are left out: there rsl_rl bootstraps from the value before the step, and we from that of the observation
after it, on purpose. So is the order of mini-batches beyond the first epoch, which rsl_rl does not draw again.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.modules import EmpiricalNormalization
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    FixedCfg,
    PpoCfg,
    RndCfg,
    RndLinearCfg,
    RndStepCfg,
    SymmetryCfg,
)
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.algorithms.rnd import Rnd
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.models.normalizer import EmpiricalNormalizer
from fleetfoot.runners.config import OnPolicyRunnerCfg

T, N, A, SEED, STEP_DT = 12, 8, 3, 5, 0.02
SPEC = {"policy": (6,), "critic": (9,)}
HIDDEN = (16, 8)
BASE = PpoCfg(num_learning_epochs=1, num_mini_batches=4, learning_rate=1e-3, schedule=FixedCfg())

CASES = {
    "fixed rate": (BASE, "scalar"),
    "logarithm of the std": (BASE, "log"),
    "unclipped value loss": (replace(BASE, use_clipped_value_loss=False), "scalar"),
    "tight clips": (replace(BASE, clip_param=0.01, max_grad_norm=0.1), "scalar"),
    "adaptive rate": (replace(BASE, schedule=AdaptiveKlCfg(desired_kl=0.01)), "scalar"),
    "adaptive rate, with a small aim": (replace(BASE, schedule=AdaptiveKlCfg(desired_kl=1e-5)), "log"),
    "advantages of each mini-batch": (replace(BASE, normalize_advantage_per_mini_batch=True), "scalar"),
    "one mini-batch": (replace(BASE, num_mini_batches=1, schedule=AdaptiveKlCfg()), "log"),
}


class Shapes:
    """As much of an environment as building an algorithm asks for."""

    num_envs = N
    device = torch.device("cpu")
    observation_spec = SPEC
    action_spec = ActionSpec(size=A)
    step_dt = STEP_DT
    mirror_images = (
        MirrorImage(
            name="left_right",
            observations={
                "policy": SignedPermutation((1, 0, 2, 4, 3, 5), (1.0, 1.0, -1.0, -1.0, -1.0, 1.0)),
                "critic": SignedPermutation((1, 0, 2, 4, 3, 5, 7, 6, 8), (1.0, 1.0, -1.0) * 2 + (-1.0, -1.0, 1.0)),
            },
            actions=SignedPermutation((1, 0, 2), (1.0, 1.0, -1.0)),
        ),
        MirrorImage(
            name="front_hind",
            observations={
                "policy": SignedPermutation((0, 1, 2, 3, 4, 5), (-1.0, -1.0, 1.0, 1.0, -1.0, 1.0)),
                "critic": SignedPermutation((2, 1, 0, 3, 4, 5, 6, 8, 7), (1.0,) * 7 + (-1.0, -1.0)),
            },
            actions=SignedPermutation((0, 1, 2), (-1.0, -1.0, 1.0)),
        ),
    )


def make_ours(cfg: PpoCfg, std_type: str, *, normalize: bool = True) -> Ppo:
    network = MlpCfg(hidden_dims=HIDDEN)
    distribution = GaussianCfg(init_std=0.8, std_type=std_type)
    runner = OnPolicyRunnerCfg(
        experiment_name="parity",
        seed=SEED,
        num_steps_per_env=T,
        algorithm=cfg,
        actor=ActorCfg(network=network, distribution=distribution, obs_normalization=normalize),
        critic=CriticCfg(network=network, obs_normalization=normalize),
    )
    return build_algorithm(Shapes(), runner, Shapes.device)


def make_theirs(ours: Ppo, cfg: PpoCfg, std_type: str, **extensions) -> PPO:
    """Their algorithm with the same hyper-parameters, weights and normalisers."""
    obs = TensorDict({name: torch.zeros(N, *shape) for name, shape in SPEC.items()}, batch_size=[N])
    groups = {"actor": ["policy"], "critic": ["critic"]}
    gaussian = {
        "class_name": "rsl_rl.modules.distribution:GaussianDistribution",
        "init_std": 0.8,
        "std_type": std_type,
    }
    normalize = ours.actor.inputs.normalizer is not None
    actor = MLPModel(obs, groups, "actor", A, HIDDEN, "elu", normalize, gaussian)
    critic = MLPModel(obs, groups, "critic", 1, HIDDEN, "elu", normalize)
    adaptive = isinstance(cfg.schedule, AdaptiveKlCfg)
    theirs = PPO(
        actor,
        critic,
        RolloutStorage("rl", N, T, obs, [A]),
        num_learning_epochs=cfg.num_learning_epochs,
        num_mini_batches=cfg.num_mini_batches,
        clip_param=cfg.clip_param,
        gamma=cfg.gamma,
        lam=cfg.lam,
        value_loss_coef=cfg.value_loss_coef,
        entropy_coef=cfg.entropy_coef,
        learning_rate=cfg.learning_rate,
        max_grad_norm=cfg.max_grad_norm,
        use_clipped_value_loss=cfg.use_clipped_value_loss,
        schedule="adaptive" if adaptive else "fixed",
        desired_kl=cfg.schedule.desired_kl if adaptive else 0.01,
        normalize_advantage_per_mini_batch=cfg.normalize_advantage_per_mini_batch,
        **extensions,
    )
    for model, network in ((actor, ours.actor), (critic, ours.critic)):
        model.mlp.load_state_dict(network.network.layers.state_dict())
        if normalize:
            for name in ("mean", "var"):
                getattr(model.obs_normalizer, f"_{name}").copy_(getattr(network.inputs.normalizer, name))
            model.obs_normalizer._std.copy_(network.inputs.normalizer.var.sqrt())
            model.obs_normalizer.count.copy_(network.inputs.normalizer.count)
    return theirs


def parameters(ours: Ppo, theirs: PPO) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    std = [value for name, value in theirs.actor.named_parameters() if "std_param" in name]
    pairs = {"std": (ours.actor.head.std_param, std[0])}
    for name, own, other in (("actor", ours.actor, theirs.actor), ("critic", ours.critic, theirs.critic)):
        for key, value in own.network.layers.named_parameters():
            pairs[f"{name}.{key}"] = (value, dict(other.mlp.named_parameters())[key])
    return {name: (own.detach(), other.detach()) for name, (own, other) in pairs.items()}


def random_obs(generator) -> dict[str, torch.Tensor]:
    return {name: 2 * torch.randn(N, *shape, generator=generator) + 0.5 for name, shape in SPEC.items()}


def collect(
    ours: Ppo, theirs: PPO, generator, after_step: Callable[[], None] = lambda: None
) -> dict[str, torch.Tensor]:
    """The same rollout into both, with our actions; returns the observations after it."""
    obs = random_obs(generator)
    for _ in range(T):
        actions = ours.act(obs)
        reward = torch.randn(N, generator=generator)
        terminated = torch.rand(N, generator=generator) < 0.15
        never = torch.zeros(N, dtype=torch.bool)
        after = random_obs(generator)
        ours.record(
            StepResult(
                obs=after, reward=reward, terminated=terminated, truncated=never, final_obs=random_obs(generator)
            )
        )
        theirs.act(TensorDict(obs, batch_size=[N]))
        theirs.transition.actions = actions
        theirs.transition.actions_log_prob = theirs.actor.get_output_log_prob(actions).detach()
        theirs.process_env_step(TensorDict(after, batch_size=[N]), reward, terminated, {})
        after_step()
        obs = after
    return obs


def update_both(ours: Ppo, theirs: PPO, last_obs, monkeypatch) -> tuple[dict, dict]:
    """One update of each, theirs with our order of the samples."""
    order = torch.randperm(T * N, generator=make_generator(SEED, "shuffling"))
    theirs.compute_returns(TensorDict(last_obs, batch_size=[N]))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randperm", lambda *_, **__: order)
        said = theirs.update()
    ours._shuffling.manual_seed(make_generator(SEED, "shuffling").initial_seed())
    return ours.update(last_obs), said


def used_normalisers(ours: Ppo, generator) -> None:
    for network in (ours.actor, ours.critic):
        network.inputs.update(random_obs(generator))


def test_values_and_densities_are_equal(generator):
    ours = make_ours(BASE, "scalar")
    used_normalisers(ours, generator)
    theirs = make_theirs(ours, BASE, "scalar")
    collect(ours, theirs, generator)
    with torch.no_grad():
        values, _ = ours.critic(ours.buffer.obs)
        log_probs = ours.buffer.distribution.log_prob(ours.buffer.actions)
    torch.testing.assert_close(values, theirs.storage.values[..., 0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(log_probs, theirs.storage.actions_log_prob[..., 0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 0.0), (1.0, 1.0)])
def test_returns_and_advantages_are_equal_to_the_bit(generator, gamma, lam):
    cfg = replace(BASE, gamma=gamma, lam=lam, normalize_advantage_per_mini_batch=True)
    ours = make_ours(cfg, "scalar")
    theirs = make_theirs(ours, cfg, "scalar")
    last_obs = collect(ours, theirs, generator)
    with torch.no_grad():  # they judge step by step, we the rollout at once: the same values for both
        theirs.storage.values.copy_(ours.critic(ours.buffer.obs)[0][..., None])
    theirs.compute_returns(TensorDict(last_obs, batch_size=[N]))
    samples = ours._evaluate(last_obs)
    assert torch.equal(samples.returns, theirs.storage.returns.view(1, -1))
    # They subtract the values from the returns again, which rounds; our advantages are those that were summed.
    assert torch.equal(samples.returns - samples.values, theirs.storage.advantages.view(1, -1))
    torch.testing.assert_close(samples.advantages, theirs.storage.advantages.view(1, -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_parameters_after_an_update_are_equal(case, generator, monkeypatch):
    cfg, std_type = CASES[case]
    ours = make_ours(cfg, std_type)
    used_normalisers(ours, generator)
    theirs = make_theirs(ours, cfg, std_type)
    last_obs = collect(ours, theirs, generator)
    before = {name: own.clone() for name, (own, _) in parameters(ours, theirs).items()}
    metrics, said = update_both(ours, theirs, last_obs, monkeypatch)
    for name, (own, other) in parameters(ours, theirs).items():
        assert not torch.equal(own, before[name])
        # relative to the size of the parameter, and to that of its movement where it is much smaller than one
        assert (own - other).abs().max() <= 1e-6 * max(1.0, other.abs().max().item()), name
    assert metrics["Loss/learning_rate"].item() == pytest.approx(theirs.learning_rate)
    assert metrics["Loss/value"].item() == pytest.approx(said["value"], rel=1e-5)
    assert metrics["Loss/surrogate"].item() == pytest.approx(said["surrogate"], rel=1e-4, abs=1e-6)
    assert metrics["Loss/entropy"].item() == pytest.approx(said["entropy"], rel=1e-6)


def test_the_adaptive_case_moves_the_rate(generator, monkeypatch):
    cfg, std_type = CASES["adaptive rate, with a small aim"]
    ours = make_ours(cfg, std_type)
    theirs = make_theirs(ours, cfg, std_type)
    metrics, _ = update_both(ours, theirs, collect(ours, theirs, generator), monkeypatch)
    assert metrics["Loss/learning_rate"].item() < cfg.learning_rate


def test_normalisers_after_two_rollouts_are_equal(generator, monkeypatch):
    ours = make_ours(BASE, "scalar")
    theirs = make_theirs(ours, BASE, "scalar")
    for _ in range(2):
        update_both(ours, theirs, collect(ours, theirs, generator), monkeypatch)
    for own, other in ((ours.actor, theirs.actor), (ours.critic, theirs.critic)):
        torch.testing.assert_close(own.inputs.normalizer.mean, other.obs_normalizer.mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(own.inputs.normalizer.var.sqrt(), other.obs_normalizer.std, rtol=1e-6, atol=1e-6)
        assert own.inputs.normalizer.count.item() == other.obs_normalizer.count.item() == 2 * T * N


def test_a_normaliser_maps_as_theirs_does(generator):
    own, other = EmpiricalNormalizer(4), EmpiricalNormalization(4)
    for size in (7, 100, 1):
        x = 3 * torch.randn(size, 4, generator=generator) - 1
        own.update(x)
        other.update(x)
    x = torch.randn(50, 4, generator=generator)
    torch.testing.assert_close(own(x), other(x), rtol=1e-6, atol=1e-6)


# --- random network distillation


CURIOUS = RndCfg(
    weight=10.0,
    num_outputs=5,
    predictor=MlpCfg(hidden_dims=(7,)),
    target=MlpCfg(hidden_dims=(6, 4)),
    learning_rate=3e-3,
    reward_normalization="every_step",
    episode_end="next_episode",
)
CURIOSITIES = {
    "constant weight": (CURIOUS, None),
    "no normalisation": (replace(CURIOUS, state_normalization=False, reward_normalization=None), None),
    "weight that steps": (
        replace(CURIOUS, schedule=RndStepCfg(final=2.5, at=17)),
        {"mode": "step", "final_step": 17, "final_value": 2.5 * STEP_DT},
    ),
    "weight that falls": (
        replace(CURIOUS, schedule=RndLinearCfg(final=1.0, begin=5, steps=15)),
        {"mode": "linear", "initial_step": 5, "final_step": 20, "final_value": 1.0 * STEP_DT},
    ),
}


def make_curious(cfg: RndCfg, schedule: dict | None) -> tuple[Ppo, PPO, Rnd]:
    """Ours and theirs with the same networks; `schedule` as they want it, with the weights per step."""
    ours = make_ours(replace(BASE, rnd=cfg), "scalar")
    own = ours.extensions.by_name["rnd"]
    theirs = make_theirs(
        ours,
        ours.cfg,
        "scalar",
        rnd_cfg={
            "num_states": SPEC["policy"][0],
            "obs_groups": {"rnd_state": ["policy"]},
            "num_outputs": cfg.num_outputs,
            "predictor_hidden_dims": cfg.predictor.hidden_dims,
            "target_hidden_dims": cfg.target.hidden_dims,
            "state_normalization": cfg.state_normalization,
            "reward_normalization": cfg.reward_normalization is not None,
            "weight": cfg.weight * STEP_DT,  # as they do when they read their config
            "weight_schedule": schedule,
            "learning_rate": cfg.learning_rate,
        },
    )
    theirs.rnd.predictor.load_state_dict(own.networks.predictor.layers.state_dict())
    theirs.rnd.target.load_state_dict(own.networks.target.layers.state_dict())
    return ours, theirs, own


@pytest.mark.parametrize("case", CURIOSITIES)
def test_rewards_for_what_is_new_and_what_learns_from_it_are_equal(case, generator, monkeypatch):
    ours, theirs, own = make_curious(*CURIOSITIES[case])
    for _ in range(2):  # what the second rollout is rewarded with has been trained on the first
        last_obs = collect(ours, theirs, generator)
        extrinsic = ours.buffer.rewards.clone()
        rewards = theirs.storage.rewards[..., 0].clone()
        metrics, said = update_both(ours, theirs, last_obs, monkeypatch)
        intrinsic = ours.buffer.rewards - extrinsic
        assert intrinsic.mean() > 0.001
        torch.testing.assert_close(ours.buffer.rewards, rewards, rtol=1e-5, atol=1e-6)
        assert metrics["Loss/rnd"].item() == pytest.approx(said["rnd"], rel=1e-5)
        assert metrics["Rnd/weight"].item() == pytest.approx(theirs.rnd.weight)
        for (name, mine), other in zip(
            own.networks.predictor.layers.named_parameters(), theirs.rnd.predictor.parameters(), strict=True
        ):
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6, msg=name)
        for name, (mine, other) in parameters(ours, theirs).items():
            assert (mine - other).abs().max() <= 2e-6 * max(1.0, other.abs().max().item()), name
    if own.networks.inputs.normalizer is not None:
        torch.testing.assert_close(own.networks.inputs.normalizer.mean, theirs.rnd.state_normalizer.mean)
        torch.testing.assert_close(own.networks.sums.var.sqrt(), theirs.rnd.reward_normalizer.emp_norm.std[None])


def test_their_falling_weight_rises_because_only_its_start_is_multiplied_by_the_step(generator):
    """Weight 10 that falls to 1, with steps of 0.02 s: theirs goes from 0.2 to 1, ours from 0.2 to 0.02."""
    cfg = replace(CURIOUS, schedule=RndLinearCfg(final=1.0, begin=0, steps=T))
    ours, theirs, own = make_curious(cfg, {"mode": "linear", "initial_step": 0, "final_step": T, "final_value": 1.0})
    first = []
    last_obs = collect(ours, theirs, generator, after_step=lambda: first.append(theirs.rnd.weight))
    assert first[0] == pytest.approx(0.2 + (1.0 - 0.2) / T)
    assert theirs.rnd.weight == pytest.approx(1.0)
    _, metrics = own.reward(ours.buffer, last_obs)
    assert metrics["Rnd/weight"].item() == pytest.approx(0.02)


def test_at_the_end_of_an_episode_they_reward_the_first_observation_of_the_next(generator):
    """Ours rewards the last one of the episode; everywhere else the rewards are the same."""
    ours, theirs, own = make_curious(replace(CURIOUS, episode_end="final_observation", reward_normalization=None), None)
    last_obs = collect(ours, theirs, generator)
    theirs_added = theirs.storage.rewards[..., 0] - ours.buffer.rewards
    bonus, _ = own.reward(ours.buffer, last_obs)
    done = ours.buffer.done
    assert 0 < done.sum() < T * N
    torch.testing.assert_close(bonus[~done], theirs_added[~done], rtol=1e-4, atol=1e-6)
    assert ((bonus - theirs_added)[done].abs() > 1e-4).all()
    error = own.networks({"policy": ours.buffer.final_obs["policy"]}).norm(dim=-1)
    torch.testing.assert_close(bonus[done], 10.0 * STEP_DT * error[done])


# --- symmetry


def mirrored(values: torch.Tensor, map: SignedPermutation) -> torch.Tensor:
    return values[..., list(map.index)] * torch.tensor(map.sign)


def their_images(env, obs, actions):
    """What they ask of a task: everything, then its images."""
    images = Shapes.mirror_images
    if obs is not None:
        parts = [obs, *({g: mirrored(obs[g], image.observations[g]) for g in SPEC} for image in images)]
        sides = {group: torch.cat([part[group] for part in parts]) for group in SPEC}
        obs = TensorDict(sides, batch_size=[len(sides["policy"])])
    if actions is not None:
        actions = torch.cat([actions, *(mirrored(actions, image.actions) for image in images)])
    return obs, actions


SYMMETRIES = {
    "augmentation": SymmetryCfg(augmentation="append"),
    "mirror loss": SymmetryCfg(augmentation=None, mirror_loss_coef=0.7),
    "both": SymmetryCfg(augmentation="append", mirror_loss_coef=0.7),
}


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("case", ["adaptive rate", "advantages of each mini-batch"])
def test_parameters_after_an_update_from_mirror_images_are_equal(symmetry, case, generator, monkeypatch):
    base, std_type = CASES[case]
    cfg = replace(base, symmetry=SYMMETRIES[symmetry])
    ours = make_ours(cfg, std_type)
    used_normalisers(ours, generator)
    theirs = make_theirs(
        ours,
        cfg,
        std_type,
        symmetry_cfg={
            "env": None,
            "data_augmentation_func": their_images,
            "use_data_augmentation": cfg.symmetry.augmentation == "append",
            "use_mirror_loss": cfg.symmetry.mirror_loss_coef > 0,
            "mirror_loss_coeff": cfg.symmetry.mirror_loss_coef,
        },
    )
    last_obs = collect(ours, theirs, generator)
    metrics, said = update_both(ours, theirs, last_obs, monkeypatch)
    for name, (own, other) in parameters(ours, theirs).items():
        assert (own - other).abs().max() <= 1e-6 * max(1.0, other.abs().max().item()), name
    assert metrics["Loss/learning_rate"].item() == pytest.approx(theirs.learning_rate)
    assert metrics["Loss/value"].item() == pytest.approx(said["value"], rel=1e-5)
    assert metrics["Loss/surrogate"].item() == pytest.approx(said["surrogate"], rel=1e-4, abs=1e-6)
    assert metrics["Loss/entropy"].item() == pytest.approx(said["entropy"], rel=1e-6)
    if cfg.symmetry.mirror_loss_coef:
        assert metrics["Loss/symmetry"].item() == pytest.approx(said["symmetry"], rel=1e-5)
