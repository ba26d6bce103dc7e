"""A reward for what is new, with networks whose error is known: five times the observation's distance from zero."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg, RndCfg, RndLinearCfg, RndStepCfg
from fleetfoot.algorithms.rnd import Rnd, RndNetworks
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.actor_critic import ObservationInput
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.models.distributions import Gaussian
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.storage.rollout import RolloutBuffer

T, N, STEP_DT = 3, 2, 0.1
LINEAR = MlpCfg(hidden_dims=(1,), activation="identity")
PLAIN = RndCfg(
    weight=2.0,
    num_outputs=2,
    predictor=LINEAR,
    target=LINEAR,
    state_normalization=False,
    reward_normalization=None,
)


def make_rnd(cfg: RndCfg = PLAIN) -> Rnd:
    """Predicts `(0, 0)` of what is `(3 x, 4 x)`."""
    networks = RndNetworks(cfg, ObservationInput({"policy": 1}, normalize=cfg.state_normalization))
    for parameter in networks.parameters():
        nn.init.zeros_(parameter)
    nn.init.ones_(networks.target.layers[0].weight)
    networks.target.layers[-1].weight.copy_(torch.tensor([[3.0], [4.0]]))
    return Rnd(cfg, networks, STEP_DT, N)


def make_buffer(*, ended: tuple[tuple[int, int], ...] = ()) -> RolloutBuffer:
    """Observation `10 t + n + 1`, reward 100 times as much; where an episode ended the final observation is -7."""
    one = torch.zeros(1, 1)
    buffer = RolloutBuffer(T, N, 1, {"policy": (1,)}, ("policy",), Gaussian(one, one), (), torch.device("cpu"))
    for t in range(T):
        x = torch.tensor([[10.0 * t + n + 1] for n in range(N)])
        done = torch.tensor([(t, n) in ended for n in range(N)])
        buffer.add_decision({"policy": x}, (), x, Gaussian(x, x))
        final = {"policy": torch.full((N, 1), -7.0)} if done.any() else None
        buffer.add_outcome(
            StepResult(obs={}, reward=100 * x[:, 0], terminated=done, truncated=torch.zeros_like(done), final_obs=final)
        )
    return buffer


LAST = {"policy": torch.tensor([[31.0], [32.0]])}


def test_a_step_is_rewarded_for_what_it_led_to():
    """Twice a step of 0.1 s times five times the observation after it: the observation itself."""
    bonus, _ = make_rnd().reward(make_buffer(), LAST)
    torch.testing.assert_close(bonus, torch.tensor([[11.0, 12.0], [21.0, 22.0], [31.0, 32.0]]))


def test_at_its_end_an_episode_is_rewarded_for_its_last_observation():
    ended = ((0, 1), (2, 0))
    bonus, _ = make_rnd().reward(make_buffer(ended=ended), LAST)
    torch.testing.assert_close(bonus, torch.tensor([[11.0, 7.0], [21.0, 22.0], [7.0, 32.0]]))
    other, _ = make_rnd(replace(PLAIN, episode_end="next_episode")).reward(make_buffer(ended=ended), LAST)
    torch.testing.assert_close(other, torch.tensor([[11.0, 12.0], [21.0, 22.0], [31.0, 32.0]]))


def test_the_whole_schedule_is_multiplied_by_the_duration_of_a_step():
    """2 /s falls to 1 /s over the steps 2 to 4, each 0.1 s: the second rollout has the last of it."""
    rnd = make_rnd(replace(PLAIN, schedule=RndLinearCfg(final=1.0, begin=2, steps=2)))
    weights = []
    for _ in range(2):
        bonus, metrics = rnd.reward(make_buffer(), LAST)
        weights += (bonus[:, 0] / (5 * torch.tensor([11.0, 21.0, 31.0]))).tolist()
        assert metrics["Rnd/weight"].item() == pytest.approx(weights[-1])
    assert weights == pytest.approx([0.2, 0.2, 0.15, 0.1, 0.1, 0.1])


def test_a_weight_that_steps_does_so_at_its_step():
    rnd = make_rnd(replace(PLAIN, schedule=RndStepCfg(final=0.0, at=2)))
    bonus, _ = rnd.reward(make_buffer(), LAST)
    assert (bonus != 0).tolist() == [[True, True], [False, False], [False, False]]


# Errors of a rollout with the observations above: 5 (11, 12), 5 (21, 22), 5 (31, 32). With discount 0.5 the running
# sums are 5 (11, 12), 5 (26.5, 28), 5 (44.25, 46).
SUMS = [torch.tensor(x) * 5 for x in ([11.0, 12.0], [26.5, 28.0], [44.25, 46.0])]
ERRORS = torch.tensor([[55.0, 60.0], [105.0, 110.0], [155.0, 160.0]])


def test_errors_are_divided_by_the_deviation_of_their_discounted_sums():
    rnd = make_rnd(replace(PLAIN, reward_normalization="rollout", reward_discount=0.5))
    bonus, _ = rnd.reward(make_buffer(), LAST)
    torch.testing.assert_close(bonus, 0.2 * ERRORS / torch.cat(SUMS).std(correction=0))
    again, _ = rnd.reward(make_buffer(), LAST)  # the sums go on, and all of them count
    first = ERRORS[0] + 0.5 * SUMS[-1]
    second = ERRORS[1] + 0.5 * first
    all_sums = torch.cat((*SUMS, first, second, ERRORS[2] + 0.5 * second))
    torch.testing.assert_close(again, 0.2 * ERRORS / all_sums.std(correction=0))


def test_at_every_step_only_what_is_known_by_then_counts():
    rnd = make_rnd(replace(PLAIN, reward_normalization="every_step", reward_discount=0.5))
    bonus, _ = rnd.reward(make_buffer(), LAST)
    known = [torch.cat(SUMS[: t + 1]).std(correction=0) for t in range(T)]
    torch.testing.assert_close(bonus, 0.2 * ERRORS / torch.stack(known)[:, None])


def test_errors_that_do_not_deviate_are_not_divided():
    """Without discounting, at the same observation everywhere, the first sum is the only one there is."""
    cfg = replace(PLAIN, reward_normalization="every_step", reward_discount=0.0)
    buffer = make_buffer()
    buffer.obs["policy"].fill_(3.0)
    bonus, _ = make_rnd(cfg).reward(buffer, {"policy": torch.full((N, 1), 3.0)})
    torch.testing.assert_close(bonus, torch.full((T, N), 3.0))


def test_sums_over_episodes_are_reported_when_they_end():
    """Bonuses 11 12, 21 22, 31 32 and rewards 100 200, 1100 1200, 2100 2200, in episodes that end here and there."""
    rnd = make_rnd(replace(PLAIN, episode_end="next_episode"))
    _, metrics = rnd.reward(make_buffer(ended=((1, 0),)), LAST)
    assert metrics["Rnd/mean_intrinsic_reward"].item() == pytest.approx(11 + 21)
    assert metrics["Rnd/mean_extrinsic_reward"].item() == pytest.approx(100 + 1100)
    _, metrics = rnd.reward(make_buffer(ended=((0, 0), (2, 1))), LAST)
    bonuses = (31 + 11, 12 + 22 + 32 + 12 + 22 + 32)
    rewards = (2100 + 100, 200 + 1200 + 2200 + 200 + 1200 + 2200)
    assert metrics["Rnd/mean_intrinsic_reward"].item() == pytest.approx(sum(bonuses) / 2)
    assert metrics["Rnd/mean_extrinsic_reward"].item() == pytest.approx(sum(rewards) / 2)
    _, metrics = rnd.reward(make_buffer(), LAST)
    assert metrics["Rnd/mean_intrinsic_reward"].isnan()


def test_the_loss_is_the_mean_squared_error_and_moves_the_predictor_alone():
    """Observations 1, 2, 11, 12, 21, 22: ((3 x)^2 + (4 x)^2) / 2 on average."""
    rnd, buffer = make_rnd(), make_buffer()
    grid = torch.zeros(T, N)
    samples = buffer.sequences(grid, grid, grid, grid, ())
    loss = rnd.loss(samples, samples, samples.distribution)
    assert loss.item() == pytest.approx(12.5 * sum(x * x for x in (1, 2, 11, 12, 21, 22)) / 6)
    loss.backward()
    assert rnd.networks.predictor.layers[-1].bias.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in rnd.networks.target.parameters())


def test_what_it_sees_is_normalised_by_the_rollouts_before():
    rnd = make_rnd(replace(PLAIN, state_normalization=True))
    buffer = make_buffer()
    first, _ = rnd.reward(buffer, LAST)
    torch.testing.assert_close(first[0], torch.tensor([11.0, 12.0]) / 1.01)  # nothing is known: 0 and 1
    rnd.end_update(buffer)
    seen = torch.tensor([1.0, 2.0, 11.0, 12.0, 21.0, 22.0])
    second, _ = rnd.reward(buffer, LAST)
    scaled = (torch.tensor([11.0, 12.0]) - seen.mean()) / (seen.std(correction=0) + 0.01)
    torch.testing.assert_close(second[0], scaled.abs())


def test_a_state_decides_the_next_rewards():
    cfg = replace(
        PLAIN, state_normalization=True, reward_normalization="rollout", schedule=RndLinearCfg(final=0.0, steps=20)
    )
    rnd, other, buffer = make_rnd(cfg), make_rnd(cfg), make_buffer(ended=((1, 0),))
    rnd.reward(buffer, LAST)
    rnd.end_update(buffer)
    nn.init.ones_(rnd.networks.predictor.layers[-1].bias)
    other.load_state_dict(rnd.state_dict())
    (bonus, said), (again, repeated) = rnd.reward(buffer, LAST), other.reward(buffer, LAST)
    assert torch.equal(bonus, again)
    assert {tag: x.item() for tag, x in said.items()} == {tag: x.item() for tag, x in repeated.items()}


def test_when_episodes_begin_afresh_running_sums_do():
    rnd = make_rnd(replace(PLAIN, reward_normalization="rollout"))
    rnd.reward(make_buffer(), LAST)
    rnd.forget()
    state = rnd.state_dict()
    assert not state["discounted"].any()
    assert not state["episodes"].any()
    assert state["steps"].item() == T


# --- in PPO


def build(rnd: RndCfg | None):
    env = ToyEnv(4, max_episode_length=5, terminate_after=(3,))
    small = MlpCfg(hidden_dims=(8,))
    cfg = OnPolicyRunnerCfg(
        experiment_name="toy",
        num_steps_per_env=8,
        algorithm=PpoCfg(num_learning_epochs=2, num_mini_batches=2, schedule=AdaptiveKlCfg(desired_kl=1e-9), rnd=rnd),
        actor=ActorCfg(network=small),
        critic=CriticCfg(network=small),
    )
    return build_algorithm(env, cfg, env.device), env


def roll_out(ppo, env, obs):
    for _ in range(8):
        result = env.step(ppo.act(obs))
        ppo.record(result)
        obs = result.obs
    return obs


def test_ppo_is_rewarded_with_both_and_trains_the_predictor_at_its_own_pace():
    ppo, env = build(RndCfg(learning_rate=2e-3))
    rnd = ppo.extensions.by_name["rnd"]
    target = [x.clone() for x in rnd.networks.target.parameters()]
    obs = roll_out(ppo, env, env.reset(1))
    extrinsic = ppo.buffer.rewards.clone()
    metrics = ppo.update(obs)
    assert (ppo.buffer.rewards > extrinsic).all()
    assert metrics["Loss/learning_rate"].item() < 1e-3  # the policy's rate has fallen
    assert ppo.optimizer.param_groups[1]["lr"].item() == pytest.approx(2e-3)
    assert all(torch.equal(a, b) for a, b in zip(target, rnd.networks.target.parameters(), strict=True))
    assert rnd.networks.inputs.normalizer.count.item() == 32
    first = metrics["Loss/rnd"].item()
    for _ in range(10):
        obs = roll_out(ppo, env, obs)
        metrics = ppo.update(obs)
    assert metrics["Loss/rnd"].item() < 0.5 * first


def test_a_weight_of_nothing_changes_nothing():
    """The predictor learns beside them; actor and critic learn what they would without."""
    after = []
    for rnd in (None, RndCfg(weight=0.0)):
        ppo, env = build(rnd)
        ppo.update(roll_out(ppo, env, env.reset(1)))
        after.append([p for network in ppo.networks.values() for p in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*after, strict=True))
