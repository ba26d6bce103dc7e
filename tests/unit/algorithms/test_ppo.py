"""The update as a whole: against a slow copy of it in plain torch, and on rollouts that are broken."""

import copy
import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import (
    AdaptiveKlCfg,
    FixedCfg,
    GammaWarmupCfg,
    LinearCfg,
    PpoCfg,
    RndCfg,
    StepCfg,
    SymmetryCfg,
)
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

T, N, SEED = 8, 4, 3
SMALL = MlpCfg(hidden_dims=(8,), activation="tanh")
PPO = PpoCfg(num_learning_epochs=2, num_mini_batches=2, learning_rate=1e-3, schedule=FixedCfg(), entropy_coef=0.01)
EXTENSIONS = {
    "none": {},
    "replaced": {"symmetry": SymmetryCfg()},
    "all": {"rnd": RndCfg(), "symmetry": SymmetryCfg(augmentation="append", mirror_loss_coef=0.1)},
}


def make_cfg(algorithm: PpoCfg = PPO, *, normalize: bool = False, std_type: str = "scalar") -> OnPolicyRunnerCfg:
    return OnPolicyRunnerCfg(
        experiment_name="toy",
        seed=SEED,
        num_steps_per_env=T,
        algorithm=algorithm,
        actor=ActorCfg(
            network=SMALL, distribution=GaussianCfg(init_std=0.7, std_type=std_type), obs_normalization=normalize
        ),
        critic=CriticCfg(network=SMALL, obs_normalization=normalize),
    )


def make(cfg: OnPolicyRunnerCfg) -> tuple[Ppo, ToyEnv]:
    """Episodes of five steps; those of the first environment end in a fall after three."""
    env = ToyEnv(N, max_episode_length=5, terminate_after=(3,))
    return build_algorithm(env, cfg, env.device), env


def roll_out(ppo: Ppo, env: ToyEnv, obs, change=lambda result: result):
    for _ in range(T):
        result = change(env.step(ppo.act(obs)))
        ppo.record(result)
        obs = result.obs
    return obs


def parameters_of(ppo: Ppo) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.detach().clone()
        for name, network in ppo.networks.items()
        for key, value in network.named_parameters()
    }


# --- a slow copy, in double precision: one sample at a time, Adam written out


class SlowAdam:
    def __init__(self, parameters):
        self.parameters = parameters
        self.first = [torch.zeros_like(p) for p in parameters]
        self.second = [torch.zeros_like(p) for p in parameters]
        self.count = 0

    def step(self, gradients, rate: float) -> None:
        self.count += 1
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g * g)
            hat_m, hat_v = m / (1 - 0.9**self.count), v / (1 - 0.999**self.count)
            p.data -= rate * hat_m / (hat_v.sqrt() + 1e-8)


def mlp(weights, x):
    first, first_bias, last, last_bias = weights
    return last @ torch.tanh(first @ x + first_bias) + last_bias


def log_density(x, mean, std) -> torch.Tensor:
    return (-(((x - mean) / std) ** 2) / 2 - torch.log(std) - math.log(2 * math.pi) / 2).sum()


def clipped_to_norm(gradients, limit: float):
    norm = math.sqrt(sum(float((g * g).sum()) for g in gradients))
    return [g * min(1.0, limit / (norm + 1e-6)) for g in gradients]


class SlowPpo:
    """The update in double precision, from the rollout that an algorithm holds."""

    def __init__(self, ppo: Ppo, cfg: PpoCfg, std_type: str) -> None:
        self.cfg, self.std_type, self.buffer = cfg, std_type, ppo.buffer
        self.leaves = {name: value.double().requires_grad_() for name, value in parameters_of(ppo).items()}
        self.actor = [leaf for name, leaf in self.leaves.items() if name.startswith("actor.network")]
        self.critic = [leaf for name, leaf in self.leaves.items() if name.startswith("critic")]
        self.std_param = self.leaves["actor.head.std_param"]
        self.rate = cfg.learning_rate

    def update(self, last_obs) -> None:
        samples = self.samples(last_obs)
        adam = SlowAdam([*self.actor, self.std_param, *self.critic])
        order = make_generator(SEED, "shuffling")
        size = T * N // self.cfg.num_mini_batches
        for _ in range(self.cfg.num_learning_epochs):
            shuffled = torch.randperm(T * N, generator=order).tolist()
            for start in range(0, T * N, size):
                loss, kl = self.loss([samples[i] for i in shuffled[start : start + size]])
                gradients = torch.autograd.grad(loss, adam.parameters)
                own, cut = self.cfg.max_grad_norm, len(self.actor) + 1
                self.adapt_rate(kl)
                adam.step([*clipped_to_norm(gradients[:cut], own), *clipped_to_norm(gradients[cut:], own)], self.rate)

    def samples(self, last_obs) -> list[tuple]:
        """(step, environment, value, advantage, return) of each sample, time-major."""
        buffer, cfg, found = self.buffer, self.cfg, {}
        for n in range(N):
            following = 0.0
            for t in reversed(range(T)):
                value = float(self.value(buffer.obs["critic"][t, n]).detach())
                after = buffer.obs["critic"][t + 1, n] if t + 1 < T else last_obs["critic"][n]
                after = buffer.final_obs["critic"][t, n] if buffer.truncated[t, n] else after
                worth = 0.0 if buffer.terminated[t, n] else float(self.value(after).detach())
                ended = bool(buffer.terminated[t, n] | buffer.truncated[t, n])
                following = (0.0 if ended else cfg.gamma * cfg.lam * following) + (
                    float(buffer.rewards[t, n]) + cfg.gamma * worth - value
                )
                found[t, n] = (t, n, value, following, following + value)
        rows = [found[divmod(i, N)] for i in range(T * N)]
        if cfg.normalize_advantage_per_mini_batch:
            return rows
        return [(t, n, v, a, r) for (t, n, v, _, r), a in zip(rows, normalized([row[3] for row in rows]), strict=True)]

    def loss(self, batch) -> tuple[torch.Tensor, float]:
        """Of one mini-batch, and the divergence from the policy that acted."""
        advantages = [a for *_, a, _ in batch]
        if self.cfg.normalize_advantage_per_mini_batch:
            advantages = normalized(advantages)
        terms = [self.terms(*sample[:3], a, sample[4]) for sample, a in zip(batch, advantages, strict=True)]
        surrogate, entropy, error, kl = (sum(column) / len(batch) for column in zip(*terms, strict=True))
        return surrogate + self.cfg.value_loss_coef * error - self.cfg.entropy_coef * entropy, float(kl.detach())

    def terms(self, t: int, n: int, old_value: float, advantage: float, target: float) -> tuple[torch.Tensor, ...]:
        """Surrogate, entropy, squared error of the value, and divergence, of one sample."""
        buffer, clip = self.buffer, self.cfg.clip_param
        action, old_mean, old_std = (x[t, n].double() for x in (buffer.actions, *buffer.distribution))
        mean = mlp(self.actor, buffer.obs["policy"][t, n].double())
        std = self.std_param if self.std_type == "scalar" else self.std_param.exp()
        ratio = (log_density(action, mean, std) - log_density(action, old_mean, old_std)).exp()
        held = min(max(float(ratio.detach()), 1 - clip), 1 + clip)
        surrogate = max(-advantage * ratio, torch.tensor(-advantage * held, dtype=torch.float64))
        entropy = (0.5 * math.log(2 * math.pi * math.e) + std.log()).sum()
        value = self.value(buffer.obs["critic"][t, n])
        error = (value - target) ** 2
        if self.cfg.use_clipped_value_loss:
            error = max(error, (old_value + (value - old_value).clamp(-clip, clip) - target) ** 2)
        kl = ((std / old_std).log() + (old_std**2 + (old_mean - mean) ** 2) / (2 * std**2) - 0.5).sum()
        return surrogate, entropy, error, kl

    def value(self, obs) -> torch.Tensor:
        return mlp(self.critic, obs.double())[0]

    def adapt_rate(self, kl: float) -> None:
        schedule = self.cfg.schedule
        if not isinstance(schedule, AdaptiveKlCfg):
            return
        if kl > 2 * schedule.desired_kl:
            self.rate = max(schedule.min_learning_rate, self.rate / 1.5)
        elif 1e-12 < kl < schedule.desired_kl / 2:  # zero, but for the rounding of doubles
            self.rate = min(schedule.max_learning_rate, self.rate * 1.5)


def normalized(numbers: list[float]) -> list[float]:
    mean = sum(numbers) / len(numbers)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1))
    return [(x - mean) / (deviation + 1e-8) for x in numbers]


CASES = {
    "plain": (PPO, "scalar"),
    "logarithm of the std": (PPO, "log"),
    "unclipped value loss": (replace(PPO, use_clipped_value_loss=False), "scalar"),
    "tight clips": (replace(PPO, clip_param=0.001, max_grad_norm=0.05), "scalar"),
    "advantages of each mini-batch": (replace(PPO, normalize_advantage_per_mini_batch=True), "scalar"),
    "adaptive rate that falls": (
        replace(PPO, learning_rate=3e-3, num_mini_batches=1, schedule=AdaptiveKlCfg(desired_kl=1e-6)),
        "scalar",
    ),
    "adaptive rate that rises": (
        replace(PPO, learning_rate=1e-4, num_mini_batches=1, schedule=AdaptiveKlCfg(desired_kl=10.0)),
        "scalar",
    ),
    "other weights": (replace(PPO, value_loss_coef=0.3, entropy_coef=0.2, gamma=0.9, lam=0.7), "scalar"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_update_is_that_of_the_slow_copy(case):
    cfg, std_type = CASES[case]
    ppo, env = make(make_cfg(cfg, std_type=std_type))
    last_obs = roll_out(ppo, env, env.reset(1))
    before = parameters_of(ppo)
    slow = SlowPpo(ppo, cfg, std_type)
    slow.update(last_obs)
    metrics = ppo.update(last_obs)
    for name, value in parameters_of(ppo).items():
        assert not torch.equal(value, before[name]), name
        difference = (value.double() - slow.leaves[name].detach()).abs().max().item()
        assert difference < 1e-6, name
    assert metrics["Loss/learning_rate"].item() == pytest.approx(slow.rate)


@pytest.mark.parametrize(("case", "factor"), [("adaptive rate that falls", 1 / 1.5), ("adaptive rate that rises", 1.5)])
def test_the_rate_of_the_slow_copy_moves_once_in_two_steps(case, factor):
    cfg, _ = CASES[case]  # at the first step nothing has moved yet
    ppo, env = make(make_cfg(cfg))
    last_obs = roll_out(ppo, env, env.reset(1))
    slow = SlowPpo(ppo, cfg, "scalar")
    slow.update(last_obs)
    assert slow.rate == pytest.approx(cfg.learning_rate * factor)


# --- what an update reports and leaves behind


def test_the_first_mini_batch_sees_the_policy_that_acted():
    ppo, env = make(make_cfg(replace(PPO, num_learning_epochs=1, num_mini_batches=1), normalize=True))
    obs = env.reset(1)
    for _ in range(2):  # the second rollout is the first one that is normalised
        obs = roll_out(ppo, env, obs)
        metrics = ppo.update(obs)
        assert metrics["Policy/kl"].abs().item() < 1e-6
        assert metrics["Policy/clip_fraction"].item() == 0.0
        assert metrics["Loss/surrogate"].abs().item() < 1e-6  # minus the mean of normalised advantages


def test_normalisers_see_each_rollout_once():
    ppo, env = make(make_cfg(normalize=True))
    obs = roll_out(ppo, env, env.reset(1))
    seen = ppo.buffer.obs["policy"].flatten(0, 1).clone()
    ppo.update(obs)
    assert ppo.actor.inputs.normalizer.count.item() == T * N
    torch.testing.assert_close(ppo.actor.inputs.normalizer.mean, seen.mean(0))
    assert ppo.critic.inputs.normalizer.count.item() == T * N


def test_the_buffer_is_empty_afterwards():
    ppo, env = make(make_cfg())
    ppo.update(roll_out(ppo, env, env.reset(1)))
    assert not ppo.buffer.is_full


def test_an_update_of_half_a_rollout_is_refused():
    ppo, env = make(make_cfg())
    obs = env.reset(1)
    ppo.record(env.step(ppo.act(obs)))
    with pytest.raises(AssertionError):
        ppo.update(obs)


def test_metrics_are_scalars_on_the_device():
    ppo, env = make(make_cfg())
    metrics = ppo.update(roll_out(ppo, env, env.reset(1)))
    assert all(value.shape == () and value.isfinite() for value in metrics.values())
    assert metrics["Policy/mean_std"].item() == pytest.approx(0.7)
    assert set(metrics) >= {"Loss/surrogate", "Loss/value", "Loss/entropy", "Loss/learning_rate", "Policy/kl"}


def test_a_critic_that_knows_the_returns_explains_all_of_them():
    ppo, env = make(make_cfg(replace(PPO, gamma=0.0)))
    last_obs = roll_out(ppo, env, env.reset(1), lambda result: replace(result, reward=result.obs["policy"][:, 0]))
    with torch.no_grad():
        ppo.buffer.rewards.copy_(ppo.critic(ppo.buffer.obs)[0])
    assert ppo.update(last_obs)["Policy/explained_variance"].item() == pytest.approx(1.0)


def test_a_std_that_is_not_learned_stays():
    cfg = make_cfg()
    cfg = replace(cfg, actor=replace(cfg.actor, distribution=GaussianCfg(init_std=0.7, learn_std=False)))
    ppo, env = make(cfg)
    ppo.update(roll_out(ppo, env, env.reset(1)))
    assert ppo.actor.head.std_param.tolist() == pytest.approx([0.7])


def test_a_linear_schedule_sets_the_rate_of_each_update():
    schedule = LinearCfg(final=2e-4, begin=1, iterations=2)
    ppo, env = make(make_cfg(replace(PPO, schedule=schedule)))
    obs, rates = env.reset(1), []
    for _ in range(5):
        obs = roll_out(ppo, env, obs)
        rates.append(ppo.update(obs)["Loss/learning_rate"].item())
    assert rates == pytest.approx([1e-3, 1e-3, 6e-4, 2e-4, 2e-4])


def test_the_entropy_bonus_of_each_update_is_that_of_its_schedule():
    """With a bonus that is gone after the first update, the second one learns as without any."""
    fading, env = make(make_cfg(replace(PPO, entropy_coef=0.5, entropy_schedule=StepCfg(final=0.0, at=1))))
    obs = roll_out(fading, env, env.reset(1))
    fading.update(obs)
    without, _ = make(make_cfg(replace(PPO, entropy_coef=0.0)))
    without.load_state_dict(copy.deepcopy(fading.state_dict()))
    obs = roll_out(fading, env, obs)
    without.buffer = copy.deepcopy(fading.buffer)
    before = parameters_of(fading)
    fading.update(obs)
    without.update(obs)
    after = parameters_of(fading)
    assert any(not torch.equal(before[name], value) for name, value in after.items())
    assert all(torch.equal(parameters_of(without)[name], value) for name, value in after.items())


def test_the_discount_that_warms_up_is_the_one_that_is_used():
    warm = replace(PPO, gamma=0.9, gamma_warmup=GammaWarmupCfg(start=0.0, begin=1, iterations=1))
    ppo, env = make(make_cfg(warm))
    other, same_env = make(make_cfg(replace(PPO, gamma=0.0)))
    values = [p.update(roll_out(p, e, e.reset(1)))["Loss/value"] for p, e in ((ppo, env), (other, same_env))]
    assert values[0] == values[1]


# --- NaN and infinity


def test_a_gradient_of_nan_changes_nothing_and_is_counted():
    ppo, env = make(make_cfg())
    last_obs = roll_out(ppo, env, env.reset(1))
    ppo.buffer.rewards[2, 1] = torch.nan  # in every advantage, once they are normalised over the rollout
    before, optimizer = parameters_of(ppo), ppo.optimizer.state_dict()["state"]
    metrics = ppo.update(last_obs)
    assert all(torch.equal(value, before[name]) for name, value in parameters_of(ppo).items())
    assert metrics["NonFinite/gradient"].item() == 1.0
    assert all(state["step"].item() == 0 and not state["exp_avg"].any() for state in ppo.optimizer.state.values())
    assert optimizer == {}


def test_only_the_steps_whose_gradient_is_not_finite_are_left_out():
    ppo, env = make(make_cfg(replace(PPO, num_learning_epochs=1, num_mini_batches=4)))
    last_obs = roll_out(ppo, env, env.reset(1))
    ppo.buffer.actions[2, 1] = torch.nan  # one sample, so one mini-batch of four
    before = parameters_of(ppo)
    metrics = ppo.update(last_obs)
    assert metrics["NonFinite/gradient"].item() == 0.25
    assert all(value.isfinite().all() for value in parameters_of(ppo).values())
    assert any(not torch.equal(value, before[name]) for name, value in parameters_of(ppo).items())
    assert {state["step"].item() for state in ppo.optimizer.state.values()} == {3.0}


@pytest.mark.parametrize(
    ("spoil", "tag"),
    [
        (lambda buffer: buffer.rewards[2, :2].fill_(torch.nan), "NonFinite/reward"),
        (lambda buffer: buffer.actions[1, 0].fill_(torch.inf), "NonFinite/actions"),
        (lambda buffer: buffer.obs["policy"][4, 2].fill_(torch.nan), "NonFinite/obs/policy"),
        (lambda buffer: buffer.obs["critic"][4, 2].fill_(-torch.inf), "NonFinite/obs/critic"),
    ],
)
def test_what_is_not_finite_is_counted_by_its_name(spoil, tag):
    ppo, env = make(make_cfg())
    last_obs = roll_out(ppo, env, env.reset(1))
    spoil(ppo.buffer)
    metrics = ppo.update(last_obs)
    counts = {name: value.item() for name, value in metrics.items() if name.startswith("NonFinite/")}
    number = {
        "NonFinite/reward": 2.0,
        "NonFinite/actions": 1.0,
        "NonFinite/obs/policy": 2.0,
        "NonFinite/obs/critic": 3.0,
    }
    del counts["NonFinite/gradient"]
    assert counts == {name: number[tag] if name == tag else 0.0 for name in counts}
    assert tag in counts


def test_a_sound_rollout_counts_nothing():
    ppo, env = make(make_cfg())
    metrics = ppo.update(roll_out(ppo, env, env.reset(1)))
    assert {value.item() for name, value in metrics.items() if name.startswith("NonFinite/")} == {0.0}


# --- a critic that learns first


def test_while_the_critic_warms_up_nothing_of_the_actor_moves():
    ppo, env = make(make_cfg(replace(PPO, critic_warmup=2, schedule=AdaptiveKlCfg(desired_kl=1e-3)), normalize=True))
    obs = env.reset(1)
    ppo.actor.inputs.update(obs)
    actor, critic = copy.deepcopy(ppo.actor.state_dict()), copy.deepcopy(ppo.critic.state_dict())
    for _ in range(2):
        obs = roll_out(ppo, env, obs)
        metrics = ppo.update(obs)
        assert all(torch.equal(value, actor[name]) for name, value in ppo.actor.state_dict().items())
        assert metrics["Grad/actor_norm"].item() == 0.0
        assert metrics["Grad/critic_norm"].item() > 0.0
        assert metrics["Loss/learning_rate"].item() == pytest.approx(1e-3)  # which follows the actor's movement
    assert not any(torch.equal(value, critic[name]) for name, value in ppo.critic.state_dict().items())
    ppo.update(roll_out(ppo, env, obs))
    assert not any(torch.equal(value, actor[name]) for name, value in ppo.actor.state_dict().items())


def test_a_critic_that_warms_up_learns_as_it_would_beside_an_actor():
    """In the first update: later the actors, and with them the rollouts, differ."""
    after = []
    for warmup in (0, 1):
        ppo, env = make(make_cfg(replace(PPO, critic_warmup=warmup)))
        ppo.update(roll_out(ppo, env, env.reset(1)))
        after.append(parameters_of(ppo))
    assert all(torch.equal(after[0][name], value) for name, value in after[1].items() if name.startswith("critic"))


def test_the_actors_first_step_after_the_warm_up_is_that_of_a_fresh_optimiser():
    ppo, env = make(make_cfg(replace(PPO, critic_warmup=1, num_learning_epochs=1, num_mini_batches=1)))
    obs = roll_out(ppo, env, env.reset(1))
    ppo.update(obs)
    assert not any(parameter in ppo.optimizer.state for parameter in ppo.actor.parameters())
    before = parameters_of(ppo)
    ppo.update(roll_out(ppo, env, obs))
    moved = (parameters_of(ppo)["actor.network.layers.2.bias"] - before["actor.network.layers.2.bias"]).abs()
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)  # Adam's first step is the rate, whatever the gradient


# --- state


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_a_state_decides_the_next_update(extensions):
    cfg = make_cfg(replace(PPO, schedule=AdaptiveKlCfg(), **EXTENSIONS[extensions]), normalize=True)
    ppo, env = make(cfg)
    ppo.update(roll_out(ppo, env, env.reset(1)))
    other, _ = make(replace(cfg, seed=99))
    other.load_state_dict(copy.deepcopy(ppo.state_dict()))  # as a file would hold it
    after = [p.update(roll_out(p, env, env.reset(2))) for p in (ppo, other)]
    assert {k: v.item() for k, v in after[0].items()} == {k: v.item() for k, v in after[1].items()}
    assert all(torch.equal(value, parameters_of(other)[name]) for name, value in parameters_of(ppo).items())


def test_after_loading_the_schedule_still_moves_the_optimisers_rate():
    ppo, env = make(make_cfg(replace(PPO, schedule=AdaptiveKlCfg(desired_kl=1e-9))))
    ppo.load_state_dict(ppo.state_dict())
    ppo.update(roll_out(ppo, env, env.reset(1)))
    assert ppo.learning_rate.item() < 1e-3
    assert all(group["lr"] is ppo.learning_rate for group in ppo.optimizer.param_groups)


def test_modes_reach_both_networks():
    ppo, _ = make(make_cfg())
    ppo.eval_mode()
    assert not ppo.actor.training
    assert not ppo.critic.training
    ppo.train_mode()
    assert ppo.actor.training
    assert ppo.critic.training


# --- nothing is read back


class Calls(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.made: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.made[func.overloadpacket._qualified_op_name] += 1
        return func(*args, **(kwargs or {}))


# What makes the host wait for a device. The fused Adam takes the learning rate as a tensor: on CUDA its kernel reads it
# there; on the CPU the kernel reads it as a number, inside of `_fused_adam_`, where no device is waited for.
WAITS = ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal")


def test_this_counter_sees_what_waits():
    x = torch.tensor([1.0, 0.0])
    with Calls() as calls:
        float(x[0])
        bool(x[1])
        x.nonzero()
    assert calls.made["aten::_local_scalar_dense"] == 2
    assert calls.made["aten::nonzero"] == 1


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_acting_recording_and_learning_read_nothing_back(one_thread, extensions):
    ppo, env = make(make_cfg(replace(PPO, schedule=AdaptiveKlCfg(), **EXTENSIONS[extensions]), normalize=True))
    obs = env.reset(1)
    results = []
    for _ in range(T):
        with Calls() as acting:
            actions = ppo.act(obs)
        result = env.step(actions)
        with Calls() as recording:
            ppo.record(result)
        obs = result.obs
        results += [acting, recording]
    with Calls() as learning:
        ppo.update(obs)
    assert learning.made["aten::_fused_adam_"] == 4 * len(ppo.optimizer.param_groups)
    assert {name: calls.made[name] for calls in (*results, learning) for name in WAITS if calls.made[name]} == {}


# --- units of the value


@pytest.mark.parametrize("normalize", [True, False])
def test_with_value_units_the_size_of_the_rewards_does_not_matter(one_thread, normalize):
    """Rewards a thousand times as large: the critic learns the same numbers only if it has units of its own."""
    cfg = replace(make_cfg(), critic=CriticCfg(network=SMALL, value_normalization=normalize))
    losses = []
    for factor in (1.0, 1000.0):
        ppo, env = make(cfg)
        obs = env.reset(1)
        for _ in range(2):  # the first returns still hold values in no units
            obs = roll_out(ppo, env, obs, lambda result, factor=factor: replace(result, reward=factor * result.reward))
            metrics = ppo.update(obs)
        losses.append(metrics["Loss/value"].item())
    ratio = losses[1] / losses[0]
    assert 0.1 < ratio < 10 if normalize else ratio > 1e5
