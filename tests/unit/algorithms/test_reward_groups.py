"""A critic for each group of rewards."""

from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.build import build_algorithm, check_config
from fleetfoot.algorithms.config import FixedCfg, PpoCfg, RndCfg
from fleetfoot.algorithms.returns import compute_gae, normalize_advantages, successor_values
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

T, N = 8, 4
WEIGHTS = {"goal": 1.0, "effort": 0.25}
SMALL = MlpCfg(hidden_dims=(8,))


def make(weights: dict[str, float] | None = WEIGHTS, *, grouped: bool = True, **fields):
    """Episodes of five steps; those of the first environment end in a fall after three."""
    env = ToyEnv(N, max_episode_length=5, terminate_after=(3,))
    if grouped:
        env.reward_groups = ("goal", "effort")
    algorithm = PpoCfg(num_learning_epochs=1, num_mini_batches=1, schedule=FixedCfg(), reward_groups=weights, **fields)
    cfg = OnPolicyRunnerCfg(
        experiment_name="toy",
        num_steps_per_env=T,
        algorithm=algorithm,
        actor=ActorCfg(network=SMALL),
        critic=CriticCfg(network=SMALL),
    )
    return build_algorithm(env, cfg, env.device), env


def roll_out(ppo, env, obs, scale: float = 1.0):
    """The goal is to be at zero, which is scarce; effort is what is pushed."""
    for _ in range(T):
        actions = ppo.act(obs)
        result = env.step(actions)
        goal, effort = (result.obs["policy"][:, 0].abs() < 0.3).float(), -scale * actions[:, 0].square()
        ppo.record(replace(result, reward=goal + effort, reward_groups={"goal": goal, "effort": effort}))
        obs = result.obs
    return obs


def test_each_group_has_a_value_and_its_own_returns():
    """Against two critics of one value each, which are the rows of the last layer."""
    ppo, env = make()
    last_obs = roll_out(ppo, env, env.reset(1))
    buffer = ppo.buffer
    with torch.no_grad():
        values, last_values, final_values = (
            ppo.critic(obs)[0] for obs in (buffer.obs, {g: x[None] for g, x in last_obs.items()}, buffer.final_obs)
        )
    assert values.shape == (T, N, 2)
    expected = torch.zeros(T, N)
    sequences = ppo._evaluate(last_obs)
    for g, (name, weight) in enumerate(WEIGHTS.items()):
        after = successor_values(values[..., g], last_values[0, :, g], final_values[..., g], buffer.truncated)
        rewards = buffer.group_rewards[name]
        ends = buffer.terminated, buffer.truncated
        advantages, returns = compute_gae(rewards, values[..., g], after, *ends, gamma=0.99, lam=0.95)
        expected += weight * normalize_advantages(advantages)
        torch.testing.assert_close(sequences.returns[..., g].view(T, N), returns)
    torch.testing.assert_close(sequences.advantages.view(T, N), expected)
    assert buffer.truncated.any()
    assert buffer.terminated.any()


@pytest.mark.parametrize("clipped", [True, False])
def test_the_value_loss_is_the_sum_over_the_groups(clipped):
    ppo, env = make(use_clipped_value_loss=clipped)
    last_obs = roll_out(ppo, env, env.reset(1))
    sequences = ppo._evaluate(last_obs)
    errors = (sequences.values - sequences.returns).square().mean((0, 1))
    metrics = ppo.update(last_obs)
    assert errors.shape == (2,)
    assert metrics["Loss/value"].item() == pytest.approx(errors.sum().item(), rel=1e-5)


def test_the_policy_learns_the_same_however_large_the_rewards_of_a_group_are():
    """With critics that know nothing yet, and no foresight, an advantage is a reward."""
    after = []
    for scale in (1.0, 1e4):
        ppo, env = make(gamma=0.0, entropy_coef=0.0)
        for parameter in ppo.critic.parameters():
            torch.nn.init.zeros_(parameter)
        ppo.update(roll_out(ppo, env, env.reset(1), scale))
        after.append(torch.cat([p.flatten() for p in ppo.actor.parameters()]))
    torch.testing.assert_close(*after, rtol=1e-4, atol=1e-6)


def test_each_value_learns_its_group():
    """Without foresight, and with rewards that can be read off the observation."""
    ppo, env = make(gamma=0.0, learning_rate=1e-2)
    obs = env.reset(1)
    for _ in range(100):
        for _ in range(T):
            result = env.step(ppo.act(obs))
            goal, effort = obs["critic"][:, 1], -0.2 * obs["critic"][:, 2]
            ppo.record(replace(result, reward=goal + effort, reward_groups={"goal": goal, "effort": effort}))
            obs = result.obs
        metrics = ppo.update(obs)
    values, _ = ppo.critic({"critic": torch.tensor([[[0.0, 0.4, 3.0], [0.0, 0.6, 1.0]]])})
    torch.testing.assert_close(values, torch.tensor([[[0.4, -0.6], [0.6, -0.2]]]), atol=0.1, rtol=0.0)
    assert metrics["Policy/explained_variance"].item() > 0.9


def test_curiosity_is_a_group_of_its_own():
    """An environment without groups has one, `task`; the bonus is not part of it."""
    weights = {"task": 1.0, "rnd": 0.5}
    ppo, env = make(weights, grouped=False, rnd=RndCfg(weight=10.0))
    obs = env.reset(1)
    for _ in range(T):
        result = env.step(ppo.act(obs))
        ppo.record(result)
        obs = result.obs
    extrinsic = ppo.buffer.rewards.clone()
    ppo.update(obs)
    groups = ppo.buffer.group_rewards
    assert torch.equal(groups["task"], extrinsic)
    torch.testing.assert_close(groups["task"] + groups["rnd"], ppo.buffer.rewards)
    assert (groups["rnd"] > 0).all()


@pytest.mark.parametrize(
    ("weights", "grouped", "rnd", "known"),
    [
        ({"goal": 1.0, "style": 1.0}, True, None, "goal, effort"),
        ({"goal": 1.0, "effort": 1.0}, True, RndCfg(), "goal, effort, rnd"),
        ({"goal": 1.0, "effort": 1.0}, False, None, "task"),
    ],
)
def test_a_group_that_nothing_gives_or_that_has_no_weight_is_refused(weights, grouped, rnd, known):
    with pytest.raises(ConfigError) as caught:
        make(weights, grouped=grouped, rnd=rnd)
    assert str(caught.value) == (
        f"agent.algorithm.reward_groups: got {', '.join(weights)}; expected a weight for each of: {known}. "
        "Set it to null for one critic of the whole reward."
    )


def test_one_critic_needs_no_groups():
    ppo, env = make(None)
    roll_out(ppo, env, env.reset(1))
    assert ppo.critic(ppo.buffer.obs)[0].shape == (T, N)
    check_config(env, OnPolicyRunnerCfg(experiment_name="toy", num_steps_per_env=T))
