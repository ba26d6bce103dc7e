"""Two ranks with half of the environments each learn what one process learns from all of them."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.build_distillation import build_distillation
from fleetfoot.algorithms.config import AdaptiveKlCfg, DistillationCfg, FixedCfg, PpoCfg, RndCfg, SymmetryCfg
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, OnPolicyRunnerCfg

pytestmark = pytest.mark.slow

T, N = 8, 6
# In order of time, a mini-batch of all environments is one of each half of them.
PPO = PpoCfg(
    num_learning_epochs=2,
    num_mini_batches=2,
    shuffle="never",
    learning_rate=1e-2,
    schedule=FixedCfg(),
    entropy_coef=0.01,
    max_grad_norm=0.5,
)


def following(desired_kl: float) -> PpoCfg:
    """The rate begins where it can only fall: whether nothing has moved yet, or by a rounding error, is chance."""
    return replace(PPO, num_learning_epochs=4, schedule=AdaptiveKlCfg(desired_kl=desired_kl, max_learning_rate=1e-2))


CURIOUS = replace(PPO, rnd=RndCfg(predictor=MlpCfg(hidden_dims=(8,)), target=MlpCfg(hidden_dims=(8,))))
# What is learned, and from how many rollouts. Of the aims at least one lies between the divergences of the two halves.
CASES = {
    "advantages of the rollout": (PPO, 3),
    "advantages of each mini-batch": (replace(PPO, normalize_advantage_per_mini_batch=True), 3),
    "a gradient that is not finite on one": (PPO, 3),
    "a critic that learns first": (replace(PPO, critic_warmup=1), 2),
    "mirror images": (replace(PPO, symmetry=SymmetryCfg(augmentation="append", mirror_loss_coef=0.5)), 3),
    "curiosity": (CURIOUS, 3),
    "curiosity with a critic of its own": (replace(CURIOUS, reward_groups={"task": 1.0, "rnd": 0.5}), 3),
    "distillation": (DistillationCfg(num_learning_epochs=2, gradient_length=3, learning_rate=1e-2), 3),
    **{f"a rate that follows {aim}": (following(aim), 1) for aim in (5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2, 2e-2)},
}


def make_cfg(algorithm: PpoCfg | DistillationCfg) -> OnPolicyRunnerCfg | DistillationRunnerCfg:
    network = MlpCfg(hidden_dims=(8,), activation="tanh")
    actor = ActorCfg(network=network, distribution=GaussianCfg(init_std=0.7), obs_normalization=True)
    if isinstance(algorithm, DistillationCfg):
        return DistillationRunnerCfg(
            experiment_name="toy",
            seed=3,
            num_steps_per_env=T,
            obs_groups=DistillationGroupsCfg(teacher=("critic",)),
            algorithm=algorithm,
            student=actor,
            teacher=actor,
        )
    return OnPolicyRunnerCfg(
        experiment_name="toy",
        seed=3,
        num_steps_per_env=T,
        algorithm=algorithm,
        actor=actor,
        critic=CriticCfg(network=network, obs_normalization=True, value_normalization=True),
    )


def build(env: ToyEnv, cfg: OnPolicyRunnerCfg | DistillationRunnerCfg):
    if isinstance(cfg, OnPolicyRunnerCfg):
        return build_algorithm(env, cfg, env.device)
    distillation = build_distillation(env, cfg, env.device)
    distillation.teachers.sources = ("teacher.pt",)
    return distillation


def networks_of(algorithm) -> dict:
    """The state of all that is trained, also in extensions."""
    extensions = algorithm.state_dict().get("extensions", {})
    added = {name: state["networks"] for name, state in extensions.items() if "networks" in state}
    return {name: network.state_dict() for name, network in algorithm.networks.items()} | added


def roll_out(algorithm, env, obs, *, spoil: bool) -> dict:
    for _ in range(T):
        result = env.step(algorithm.act(obs))
        algorithm.record(result)
        obs = result.obs
    buffer = algorithm.buffer
    if spoil:
        buffer.actions[0, 0] = torch.nan  # of the first rank, in the first of two mini-batches
    names = ("actions", "rewards", "terminated", "truncated")
    rollout = {
        "tensors": {name: getattr(buffer, name) for name in names},
        "obs": buffer.obs,
        "final_obs": buffer.final_obs,
        "distribution": tuple(buffer.distribution),
        "group_rewards": buffer.group_rewards,
        "last_obs": dict(obs),
    }
    return copy.deepcopy(rollout)


def learn_alone(case: str) -> tuple[dict, dict]:
    """What the ranks are given, and what one process makes of it."""
    config, num_rollouts = CASES[case]
    cfg = make_cfg(config)
    env = ToyEnv(N, max_episode_length=5, terminate_after=(3,))
    algorithm = build(env, cfg)
    given = {"cfg": cfg, "state": copy.deepcopy(algorithm.state_dict()), "rollouts": []}
    obs, rates, skipped = env.reset(1), [], []
    for _ in range(num_rollouts):
        rollout = roll_out(algorithm, env, obs, spoil="finite" in case)
        given["rollouts"].append(rollout)
        obs = rollout["last_obs"]
        metrics = algorithm.update(obs)
        rates.append(metrics["Loss/learning_rate"].item())
        skipped.append(metrics["NonFinite/gradient"].item())
    return given, {"networks": networks_of(algorithm), "rates": rates, "skipped": skipped}


@pytest.fixture(scope="module")
def alone_and_together(as_two_ranks, tmp_path_factory):
    given, alone = zip(*(learn_alone(case) for case in CASES), strict=True)
    cases = tmp_path_factory.mktemp("given") / "cases.pt"
    torch.save(dict(zip(CASES, given, strict=True)), cases)
    return dict(zip(CASES, alone, strict=True)), as_two_ranks(Path(__file__).with_name("together.py"), str(cases))


@pytest.mark.parametrize("case", CASES)
def test_two_halves_learn_what_the_whole_learns(alone_and_together, case):
    alone, both = alone_and_together
    for network, expected in alone[case]["networks"].items():
        for name, value in expected.items():
            own = [found[case]["networks"][network][name] for found in both]
            assert torch.equal(*own), name
            torch.testing.assert_close(own[0], value, rtol=1e-5, atol=1e-6)
    assert both[0][case]["rates"] == both[1][case]["rates"] == pytest.approx(alone[case]["rates"], rel=1e-6)


def test_the_rate_moves_in_what_is_compared(alone_and_together):
    alone, _ = alone_and_together
    rates = {found["rates"][0] for case, found in alone.items() if "follows" in case}
    assert len(rates) > 3


def test_both_leave_out_the_step_whose_gradient_is_not_finite_on_one(alone_and_together):
    alone, both = alone_and_together
    case = "a gradient that is not finite on one"
    assert [found[case]["skipped"] for found in (alone, *both)] == [[0.5] * 3] * 3


def test_networks_begin_alike_and_what_is_random_does_not(alone_and_together):
    _, both = alone_and_together
    one, other = (found["explored"] for found in both)
    for network, parameters in one["networks"].items():
        assert all(torch.equal(x, other["networks"][network][name]) for name, x in parameters.items())
    assert not torch.equal(one["order"], other["order"])
    assert not torch.equal(one["actions"], other["actions"])
