"""The numbers of rsl_rl 5.5.1, from the same networks and the same rollout.

Time limits are left out: there rsl_rl bootstraps from the value before the step, and we from that of the observation
after it, on purpose. So is the order of mini-batches beyond the first epoch, which rsl_rl does not draw again.
"""

from dataclasses import replace

import pytest
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.modules import EmpiricalNormalization
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch.distributions import Normal

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg, PpoCfg
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.models.normalizer import EmpiricalNormalizer
from fleetfoot.runners.config import OnPolicyRunnerCfg

T, N, A, SEED = 12, 8, 3, 5
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


@pytest.fixture(autouse=True)
def _torch_validates_as_before():
    """rsl_rl switches the validation of every distribution in the process off."""
    yield
    Normal.set_default_validate_args(True)


class Shapes:
    """As much of an environment as building an algorithm asks for."""

    num_envs = N
    device = torch.device("cpu")
    observation_spec = SPEC
    action_spec = ActionSpec(size=A)


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


def make_theirs(ours: Ppo, cfg: PpoCfg, std_type: str) -> PPO:
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


def collect(ours: Ppo, theirs: PPO, generator) -> dict[str, torch.Tensor]:
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
