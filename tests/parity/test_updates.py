"""Whole updates of rsl_rl 5.5.1 and ours: networks that remember or see images, their distributions, time limits.

Both start with the same weights and normalisers, take the same actions, are told the same, and learn from the samples
in the same order: rsl_rl draws it once per rollout (`shuffle="once"`), and for networks with a memory takes the
environments as they come (`shuffle="never"`). Both carry on for a second rollout, so that what is remembered, Adam's
moments, the learning rate and the normalisers are those that the first one left behind.
"""

import math
from dataclasses import replace

import pytest
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import CNNModel, MLPModel, RNNModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import nn

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg, PpoCfg
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.errors import ConfigError
from fleetfoot.models.actor_critic import Actor, Critic
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    CnnCfg,
    CriticCfg,
    DistributionCfg,
    GaussianCfg,
    GruCfg,
    LstmCfg,
    MlpCfg,
    SquashedGaussianCfg,
    StateDependentGaussianCfg,
)
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg

T, N, A = 10, 6, 3
HIGHEST_RATE = 1e-2  # theirs, which cannot be changed
SPEC = {"policy": (5,), "critic": (7,), "camera": (1, 6, 5)}
MLP = MlpCfg(hidden_dims=(12, 8))
BASE = PpoCfg(
    num_learning_epochs=3,
    num_mini_batches=3,
    shuffle="once",
    schedule=FixedCfg(),
    time_limit_bootstrap="previous_value",
)
LEARNING = {
    "clipped": BASE,
    "unclipped": replace(BASE, use_clipped_value_loss=False, normalize_advantage_per_mini_batch=True),
    "adaptive": replace(BASE, schedule=AdaptiveKlCfg(desired_kl=0.003, max_learning_rate=HIGHEST_RATE)),
}


class Shapes:
    """As much of an environment as building an algorithm asks for."""

    device = torch.device("cpu")
    observation_spec = SPEC
    action_spec = ActionSpec(size=A)

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs


def plain(distribution: DistributionCfg) -> tuple[ActorCfg, CriticCfg]:
    return ActorCfg(network=MLP, distribution=distribution, obs_normalization=True), CriticCfg(
        network=MLP, obs_normalization=True
    )


def remembering(actor: LstmCfg | GruCfg, critic: LstmCfg | GruCfg | None) -> tuple[ActorCfg, CriticCfg]:
    own, other = plain(GaussianCfg(init_std=0.8))
    return replace(own, memory=actor), replace(other, memory=critic)


def seeing() -> tuple[ActorCfg, CriticCfg]:
    own, other = plain(GaussianCfg(init_std=0.8, std_type="log"))
    cnn = CnnCfg(output_channels=(3, 4), kernel_size=(3,), stride=(2, 1), padding="zeros")
    return replace(own, cnn=cnn), replace(other, cnn=replace(cnn, global_pool="avg"))


RANGE = (0.3, 1.0)
NETWORKS = {
    "lstm": remembering(LstmCfg(hidden_dim=6), LstmCfg(hidden_dim=4)),
    "lstm, two layers": remembering(LstmCfg(hidden_dim=6, num_layers=2), LstmCfg(hidden_dim=4)),
    "gru": remembering(GruCfg(hidden_dim=6), GruCfg(hidden_dim=4)),
    "gru, two layers": remembering(GruCfg(hidden_dim=6, num_layers=2), GruCfg(hidden_dim=4, num_layers=2)),
    "gru, and a critic without memory": remembering(GruCfg(hidden_dim=6), None),
    "cnn": seeing(),
    "state-dependent": plain(StateDependentGaussianCfg(init_std=0.6, std_range=RANGE)),
    "state-dependent, logarithm": plain(StateDependentGaussianCfg(init_std=0.6, std_type="log", std_range=RANGE)),
    "beta": plain(BetaCfg()),
    "beta of another range": plain(BetaCfg(action_range=(-1.5, 2.5))),
}


def make_both(
    networks: tuple[ActorCfg, CriticCfg], cfg: PpoCfg, generator, *, num_steps=T, num_envs=N
) -> tuple[Ppo, PPO]:
    """Ours from its config and theirs with the same hyper-parameters, weights and normalisers."""
    actor, critic = networks
    images = () if actor.cnn is None else ("camera",)
    groups = ObsGroupsCfg(actor=("policy", *images), critic=("critic", *images))
    runner = OnPolicyRunnerCfg(
        experiment_name="parity",
        num_steps_per_env=num_steps,
        obs_groups=groups,
        algorithm=replace(cfg, shuffle="once" if actor.memory is None else "never"),
        actor=actor,
        critic=critic,
    )
    ours = build_algorithm(Shapes(num_envs), runner, Shapes.device)
    for parameter in ours.actor.network.parameters():  # a spread that depends on the state starts with zero weights
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    distribution = their_distribution(actor.distribution)
    obs = tensordict(random_obs(generator, num_envs))
    theirs = PPO(
        their_model(ours.actor, actor, obs, groups.actor, A, distribution),
        their_model(ours.critic, critic, obs, groups.critic, 1, None),
        RolloutStorage("rl", num_envs, num_steps, obs, [A]),
        num_learning_epochs=cfg.num_learning_epochs,
        num_mini_batches=cfg.num_mini_batches,
        clip_param=cfg.clip_param,
        gamma=cfg.gamma,
        lam=cfg.lam,
        value_loss_coef=cfg.value_loss_coef,
        entropy_coef=cfg.entropy_coef,
        learning_rate=cfg.learning_rate,
        optimizer=cfg.optimizer,
        max_grad_norm=cfg.max_grad_norm,
        use_clipped_value_loss=cfg.use_clipped_value_loss,
        schedule="adaptive" if isinstance(cfg.schedule, AdaptiveKlCfg) else "fixed",
        desired_kl=cfg.schedule.desired_kl if isinstance(cfg.schedule, AdaptiveKlCfg) else 0.01,
        normalize_advantage_per_mini_batch=cfg.normalize_advantage_per_mini_batch,
    )
    return ours, theirs


def their_distribution(cfg: DistributionCfg) -> dict:
    module = "rsl_rl.modules.distribution"
    match cfg:
        case GaussianCfg(init_std=init_std, std_type=std_type):
            return {"class_name": f"{module}:GaussianDistribution", "init_std": init_std, "std_type": std_type}
        case StateDependentGaussianCfg(init_std=init_std, std_type=std_type, std_range=std_range):
            name = f"{module}:HeteroscedasticGaussianDistribution"
            return {"class_name": name, "init_std": init_std, "std_type": std_type, "std_range": std_range}
        case BetaCfg(action_range=action_range):
            return {"class_name": f"{module}:BetaDistribution", "action_range": action_range}
        case SquashedGaussianCfg():
            raise AssertionError("they have none")


def their_model(
    own: Actor | Critic, cfg: ActorCfg | CriticCfg, obs: TensorDict, groups: tuple[str, ...], out_dim: int, distribution
) -> MLPModel:
    """Their model with the weights and the normaliser of ours."""
    normalize, network = cfg.obs_normalization, cfg.network
    common = (
        obs,
        {"it": list(groups)},
        "it",
        out_dim,
        network.hidden_dims,
        network.activation,
        normalize,
        distribution,
    )
    if cfg.memory is not None:
        model = RNNModel(*common, cfg.memory.kind, cfg.memory.hidden_dim, cfg.memory.num_layers)
    elif cfg.cnn is not None:
        fields = ("output_channels", "kernel_size", "stride", "padding", "global_pool")
        model = CNNModel(*common, {name: list_or_one(getattr(cfg.cnn, name)) for name in fields})
    else:
        model = MLPModel(*common)
    for mine, other in counterparts(own, model):
        for source, target in zip(mine.parameters(), other.parameters(), strict=True):
            target.data.copy_(source.data)
    return model


def list_or_one(values):
    """As they want what is said of each layer: one value not in a list."""
    return values[0] if isinstance(values, tuple) and len(values) == 1 else values


def counterparts(own: Actor | Critic, other: MLPModel) -> list[tuple[nn.Module, nn.Module]]:
    """Parts with the same parameters in the same order."""
    parts = [(own.network.layers, other.mlp)]
    if isinstance(other, RNNModel):
        parts.append((own.memory, other.rnn))
    if isinstance(other, CNNModel):
        parts += [(own.inputs.image_encoders[group].layers, cnn) for group, cnn in other.cnns.items()]
    if other.distribution is not None:
        parts.append((own.head, other.distribution))
    return parts


def parameters(ours: Ppo, theirs: PPO) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """All that learns, ours and theirs."""
    pairs = {}
    for network, own, other in (("actor", ours.actor, theirs.actor), ("critic", ours.critic, theirs.critic)):
        names = {id(parameter): f"{network}.{name}" for name, parameter in own.named_parameters()}
        for mine, counterpart in counterparts(own, other):
            for a, b in zip(mine.parameters(), counterpart.parameters(), strict=True):
                pairs[names.pop(id(a))] = (a.detach(), b.detach())
        assert not names
    return pairs


def tensordict(obs: dict[str, torch.Tensor]) -> TensorDict:
    return TensorDict(obs, batch_size=[len(obs["policy"])])


def random_obs(generator, num_envs=N) -> dict[str, torch.Tensor]:
    return {name: 2 * torch.randn(num_envs, *shape, generator=generator) + 0.5 for name, shape in SPEC.items()}


def random_step(generator, num_envs) -> StepResult:
    """One in seven episodes ends in a fall, as many at a time limit."""
    ending = torch.rand(num_envs, generator=generator)
    return StepResult(
        obs=random_obs(generator, num_envs),
        reward=torch.randn(num_envs, generator=generator),
        terminated=ending < 1 / 7,
        truncated=ending > 6 / 7,
        final_obs=random_obs(generator, num_envs),
    )


def step_both(ours: Ppo, theirs: PPO, obs: dict[str, torch.Tensor], result: StepResult) -> None:
    """Our action in both, and what came of it."""
    actions = ours.act(obs)
    ours.record(result)
    with torch.no_grad():
        theirs.act(tensordict(obs))
        theirs.transition.actions = actions
        theirs.transition.actions_log_prob = theirs.actor.get_output_log_prob(actions)
        done = result.terminated | result.truncated
        theirs.process_env_step(tensordict(result.obs), result.reward, done, {"time_outs": result.truncated})


def collect(ours: Ppo, theirs: PPO, obs: dict[str, torch.Tensor], generator) -> dict[str, torch.Tensor]:
    """The same rollout into both; returns the observations after it."""
    for _ in range(ours.buffer.num_steps):
        result = random_step(generator, ours.buffer.num_envs)
        step_both(ours, theirs, obs, result)
        obs = dict(result.obs)
    return obs


def their_update(ours: Ppo, theirs: PPO, monkeypatch) -> dict[str, float]:
    """Theirs learns, in the order that ours is going to draw."""
    ours_next = torch.Generator()
    ours_next.set_state(ours._shuffling.get_state())
    with monkeypatch.context() as patch:
        randperm = torch.randperm
        patch.setattr(torch, "randperm", lambda n, **_: randperm(n, generator=ours_next))
        return theirs.update()


def update_both(ours: Ppo, theirs: PPO, last_obs, monkeypatch) -> tuple[dict, dict]:
    with torch.no_grad():
        theirs.compute_returns(tensordict(last_obs))
    said = their_update(ours, theirs, monkeypatch)
    return dict(ours.update(last_obs)), said


def learning_rates(optimizer: torch.optim.Optimizer) -> list[float]:
    """The rate of every gradient step from now on."""
    trace: list[float] = []
    optimizer.register_step_pre_hook(lambda it, *_: trace.append(float(it.param_groups[0]["lr"])))
    return trace


def assert_parameters_equal(ours: Ppo, theirs: PPO, tolerance: float = 1e-6) -> None:
    """Relative to the size of a parameter, or to one where it is smaller."""
    for name, (own, other) in parameters(ours, theirs).items():
        assert (own - other).abs().max() <= tolerance * max(1.0, other.abs().max().item()), name


def left_out_of_entropy(cfg: DistributionCfg) -> float:
    """Their Beta leaves out the logarithm of the range's width."""
    return A * math.log(cfg.action_range[1] - cfg.action_range[0]) if isinstance(cfg, BetaCfg) else 0.0


def start_at_the_highest_rate(ours: Ppo, theirs: PPO) -> None:
    """Before the first gradient step of an update nothing has moved: its divergence is zero, or rounding that is not.

    In the latter case both raise the rate. From its upper bound it cannot rise, so that rounding decides nothing.
    """
    ours.learning_rate.fill_(HIGHEST_RATE)
    theirs.learning_rate = HIGHEST_RATE


@pytest.mark.parametrize("learning", LEARNING)
@pytest.mark.parametrize("network", NETWORKS)
def test_two_updates_in_a_row_are_equal(network, learning, generator, monkeypatch):
    ours, theirs = make_both(NETWORKS[network], LEARNING[learning], generator)
    before = {name: own.clone() for name, (own, _) in parameters(ours, theirs).items()}
    rates, their_rates = learning_rates(ours.optimizer), learning_rates(theirs.optimizer)
    obs = random_obs(generator)
    for _ in range(2):
        obs = collect(ours, theirs, obs, generator)
        assert ours.buffer.terminated.any()
        assert ours.buffer.truncated.any()
        if learning == "adaptive":
            start_at_the_highest_rate(ours, theirs)
        metrics, said = update_both(ours, theirs, obs, monkeypatch)
        assert_parameters_equal(ours, theirs)
        assert metrics["Loss/value"].item() == pytest.approx(said["value"], rel=1e-5)
        assert metrics["Loss/surrogate"].item() == pytest.approx(said["surrogate"], rel=1e-4, abs=1e-6)
        entropy = said["entropy"] + left_out_of_entropy(NETWORKS[network][0].distribution)
        assert metrics["Loss/entropy"].item() == pytest.approx(entropy, rel=1e-5, abs=1e-6)
    for name, (own, _) in parameters(ours, theirs).items():
        assert not torch.equal(own, before[name]), name
    assert len(rates) == 2 * BASE.num_learning_epochs * BASE.num_mini_batches
    assert rates == pytest.approx(their_rates)
    assert (len(set(rates)) > 2) == (learning == "adaptive")
    for own, other in ((ours.actor, theirs.actor), (ours.critic, theirs.critic)):
        torch.testing.assert_close(own.inputs.normalizer.mean, other.obs_normalizer.mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(own.inputs.normalizer.var.sqrt(), other.obs_normalizer.std, rtol=1e-6, atol=1e-6)
        assert own.inputs.normalizer.count.item() == other.obs_normalizer.count.item() == 2 * T * N


@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 1e-3), ("sgd", 0.1), ("rmsprop", 1e-4)])
def test_updates_with_other_optimisers_are_equal(optimizer, rate, generator, monkeypatch):
    cfg = replace(BASE, optimizer=optimizer, learning_rate=rate)
    ours, theirs = make_both(plain(GaussianCfg(init_std=0.6, std_range=RANGE)), cfg, generator)
    before = {name: own.clone() for name, (own, _) in parameters(ours, theirs).items()}
    obs = random_obs(generator)
    for _ in range(2):
        obs = collect(ours, theirs, obs, generator)
        update_both(ours, theirs, obs, monkeypatch)
        assert_parameters_equal(ours, theirs)
    for name, (own, _) in parameters(ours, theirs).items():
        assert (own - before[name]).abs().max() > 1e-4, name


# --- time limits


def with_exact_values(ours: Ppo, theirs: PPO) -> None:
    """A critic whose sums are exact whatever their order: every weight a multiple of 1/8, and no curve between."""
    for own, other in parameters(ours, theirs).values():
        for values in (own, other):
            values.copy_((8 * values).round() / 8)


@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 0.0), (1.0, 1.0)])
def test_returns_past_time_limits_are_equal_to_the_bit(gamma, lam, generator):
    network = MlpCfg(hidden_dims=(12, 8), activation="relu")
    networks = (ActorCfg(network=network), CriticCfg(network=network))
    cfg = replace(BASE, gamma=gamma, lam=lam, normalize_advantage_per_mini_batch=True)
    ours, theirs = make_both(networks, cfg, generator)
    with_exact_values(ours, theirs)
    obs = {name: (4 * x).round() / 4 for name, x in random_obs(generator).items()}
    for _ in range(T):
        result = random_step(generator, N)
        result = replace(result, obs={name: (4 * x).round() / 4 for name, x in result.obs.items()})
        step_both(ours, theirs, obs, result)
        obs = dict(result.obs)
    with torch.no_grad():
        theirs.compute_returns(tensordict(obs))
    assert ours.buffer.truncated.sum() > 3
    samples = ours._evaluate(obs)
    assert torch.equal(samples.values, theirs.storage.values.view(1, -1))
    assert samples.values.std() > 0.05
    assert torch.equal(samples.returns, theirs.storage.returns.view(1, -1))
    # They subtract the values from the returns again, which rounds; our advantages are those that were summed.
    assert torch.equal(samples.returns - samples.values, theirs.storage.advantages.view(1, -1))


def judged_by_its_observation(cfg: PpoCfg, generator) -> tuple[Ppo, PPO]:
    """Two steps of one robot; its value is the first number that the critic sees, if that is positive."""
    network = MlpCfg(hidden_dims=(1,), activation="relu")
    networks = (ActorCfg(network=network), CriticCfg(network=network))
    ours, theirs = make_both(networks, replace(cfg, num_mini_batches=1), generator, num_steps=2, num_envs=1)
    for own, other in parameters(ours, theirs).values():
        for values in (own, other):
            values.zero_()
            values.view(-1)[0] = 1.0 if values.dim() == 2 else 0.0
    ours.actor.head.std_param.data.fill_(1.0)
    theirs.actor.distribution.std_param.data.fill_(1.0)
    return ours, theirs


def worth(value: float) -> dict[str, torch.Tensor]:
    obs = {name: torch.zeros(1, *shape) for name, shape in SPEC.items()}
    obs["critic"][0, 0] = value
    return obs


def returns_of_two_steps(cfg: PpoCfg, generator, *, falls: bool) -> tuple[list[float], list[float]]:
    """Ours and theirs: the robot stands at 2, then at 3, gets to 7, where its time is over, and begins again at 5.

    It is rewarded with 1 and then with 10.
    """
    ours, theirs = judged_by_its_observation(replace(cfg, gamma=0.5, lam=0.0), generator)
    yes, no = torch.tensor([True]), torch.tensor([False])
    first = StepResult(obs=worth(3), reward=torch.tensor([1.0]), terminated=no, truncated=no, final_obs=None)
    end = yes if falls else no
    last = StepResult(obs=worth(5), reward=torch.tensor([10.0]), terminated=end, truncated=yes, final_obs=worth(7))
    step_both(ours, theirs, worth(2), first)
    step_both(ours, theirs, worth(3), last)
    with torch.no_grad():
        theirs.compute_returns(tensordict(worth(5)))
    return ours._evaluate(worth(5)).returns.flatten().tolist(), theirs.storage.returns.flatten().tolist()


def test_at_a_time_limit_they_take_the_value_before_the_last_step(generator):
    """Theirs is 10 + 3/2, as if the robot had not moved. What it got to is worth 10 + 7/2."""
    ours, theirs = returns_of_two_steps(BASE, generator, falls=False)
    assert ours == theirs == [1 + 0.5 * 3, 10 + 0.5 * 3]
    better = replace(BASE, time_limit_bootstrap=PpoCfg().time_limit_bootstrap)
    ours, theirs = returns_of_two_steps(better, generator, falls=False)
    assert theirs == [1 + 0.5 * 3, 10 + 0.5 * 3]
    assert ours == [1 + 0.5 * 3, 10 + 0.5 * 7]


def test_who_falls_when_its_time_is_over_has_a_future_with_them(generator):
    """Terminated and truncated at once: theirs adds the value all the same, ours has nothing to come after a fall."""
    ours, theirs = returns_of_two_steps(BASE, generator, falls=True)
    assert theirs == [1 + 0.5 * 3, 10 + 0.5 * 3]
    assert ours == [1 + 0.5 * 3, 10.0]


# --- samples that the mini-batches leave over

UNEVEN = replace(BASE, drop_remainder=True, normalize_advantage_per_mini_batch=True)
LEFT_OVER = {  # of 11 steps in 7 environments: network, number of samples, and where they are
    "mlp": (plain(GaussianCfg()), 2, (slice(-1, None), slice(-2, None))),  # of 77 in threes, the last two
    "lstm": (NETWORKS["lstm"], 11, (slice(None), slice(-1, None))),  # of 7 environments in threes, the last one
}


def make_uneven(network: str, cfg: PpoCfg, generator) -> tuple[Ppo, PPO]:
    return make_both(LEFT_OVER[network][0], cfg, generator, num_steps=11, num_envs=7)


@pytest.mark.parametrize("network", LEFT_OVER)
def test_they_never_learn_from_the_samples_left_over(network, generator, monkeypatch):
    """Whatever stands there makes no difference to their parameters, which are ours with `drop_remainder`."""
    ours, theirs = make_uneven(network, UNEVEN, generator)
    last_obs = collect(ours, theirs, random_obs(generator, 7), generator)
    with torch.no_grad():
        theirs.compute_returns(tensordict(last_obs))
    _, count, where = LEFT_OVER[network]
    for values in (theirs.storage.advantages, theirs.storage.returns, theirs.storage.actions_log_prob):
        values[where] = torch.nan
        assert values.isnan().sum() == count
    their_update(ours, theirs, monkeypatch)
    ours.update(last_obs)
    assert_parameters_equal(ours, theirs)


@pytest.mark.parametrize("network", LEFT_OVER)
def test_two_updates_without_the_samples_left_over_are_equal(network, generator, monkeypatch):
    cfg = replace(UNEVEN, normalize_advantage_per_mini_batch=False)  # over all samples, also those left over
    ours, theirs = make_uneven(network, cfg, generator)
    obs = random_obs(generator, 7)
    for _ in range(2):
        obs = collect(ours, theirs, obs, generator)
        metrics, said = update_both(ours, theirs, obs, monkeypatch)
        assert_parameters_equal(ours, theirs)
        assert metrics["Loss/value"].item() == pytest.approx(said["value"], rel=1e-5)
    assert ours.critic.inputs.normalizer.count.item() == theirs.critic.obs_normalizer.count.item() == 2 * 11 * 7


@pytest.mark.parametrize("network", LEFT_OVER)
def test_by_default_nothing_may_be_left_over(network, generator):
    with pytest.raises(ConfigError, match=r"num_mini_batches: got 3, with 11 steps x 7 environments"):
        make_uneven(network, replace(UNEVEN, drop_remainder=False), generator)


# --- one environment in a mini-batch


def test_alone_in_a_mini_batch_each_of_their_steps_is_judged_by_all_advantages(generator, monkeypatch):
    """With a memory, and one environment in a mini-batch, they squeeze `[T, 1, 1]` to `[T]`, and have `[T, 1]` beside.

    So the probability of step i is divided by that of step j, for all pairs. We have that of each step by itself, which
    is one before anything is learned.
    """
    cfg = replace(BASE, num_learning_epochs=1, num_mini_batches=1, normalize_advantage_per_mini_batch=False)
    ours, theirs = make_both(NETWORKS["lstm"], cfg, generator, num_envs=1)
    last_obs = collect(ours, theirs, random_obs(generator, 1), generator)
    with torch.no_grad():
        theirs.compute_returns(tensordict(last_obs))
    log_probs, advantages = theirs.storage.actions_log_prob.flatten(), theirs.storage.advantages.flatten()
    ratios = (log_probs[:, None] - log_probs[None, :]).exp()
    all_pairs = torch.max(-advantages * ratios, -advantages * ratios.clamp(0.8, 1.2)).mean()
    assert all_pairs > 0.1
    said = their_update(ours, theirs, monkeypatch)
    assert said["surrogate"] == pytest.approx(all_pairs.item(), rel=1e-4)
    assert ours.update(last_obs)["Loss/surrogate"].item() == pytest.approx(0.0, abs=1e-6)
