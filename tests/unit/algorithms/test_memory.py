"""Networks that remember, through acting, storing, judging and learning."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import FixedCfg, PpoCfg
from fleetfoot.algorithms.evaluation import evaluate
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.config import ActorCfg, AttentionCfg, CriticCfg, GruCfg, LstmCfg, MlpCfg
from fleetfoot.models.memory import reset_state
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner

T, N = 8, 4
SMALL = MlpCfg(hidden_dims=(8,), activation="tanh")
MEMORIES = {
    "lstm": LstmCfg(hidden_dim=6),
    "gru": GruCfg(hidden_dim=6, num_layers=2),
    "attention": AttentionCfg(context=3, hidden_dim=4, num_heads=2),
}
PPO = PpoCfg(num_learning_epochs=1, num_mini_batches=1, schedule=FixedCfg())


def make_cfg(memory=None, algorithm: PpoCfg = PPO) -> OnPolicyRunnerCfg:
    return OnPolicyRunnerCfg(
        experiment_name="toy",
        num_steps_per_env=T,
        algorithm=algorithm,
        actor=ActorCfg(network=SMALL, memory=memory),
        critic=CriticCfg(network=SMALL, memory=memory),
    )


def make_env(num_envs: int = N) -> ToyEnv:
    """Episodes of five steps; those of the first environment end in a fall after three."""
    return ToyEnv(num_envs, max_episode_length=5, terminate_after=(3,))


def make(cfg: OnPolicyRunnerCfg, num_envs: int = N) -> tuple[Ppo, ToyEnv]:
    env = make_env(num_envs)
    return build_algorithm(env, cfg, env.device), env


def roll_out(ppo: Ppo, env: ToyEnv, obs):
    for _ in range(T):
        result = env.step(ppo.act(obs))
        ppo.record(result)
        obs = result.obs
    return obs


@pytest.fixture(params=MEMORIES)
def memory(request):
    return MEMORIES[request.param]


@pytest.mark.parametrize("length", [1, 2, 4, 8])
def test_in_sequences_the_actor_says_what_it_said_while_acting(memory, length):
    """Over three rollouts: through the ends of episodes, of sequences and of rollouts."""
    ppo, env = make(make_cfg(memory, replace(PPO, sequence_length=length)))
    obs = env.reset(1)
    for _ in range(3):
        obs = roll_out(ppo, env, obs)
        sequences = ppo._evaluate(obs)
        distribution, _ = ppo.actor(sequences.obs, sequences.actor_state, sequences.reset)
        torch.testing.assert_close(distribution.mean, sequences.distribution.mean, rtol=1e-5, atol=1e-6)
        values, _ = ppo.critic(sequences.obs, sequences.critic_state, sequences.reset)
        torch.testing.assert_close(values, sequences.values, rtol=1e-5, atol=1e-6)
        ppo.buffer.clear()


def test_the_memory_matters_and_is_forgotten_where_an_episode_begins(memory):
    ppo, env = make(make_cfg(memory))
    obs = roll_out(ppo, env, env.reset(1))
    sequences = ppo._evaluate(obs)
    remembering, _ = ppo.actor(sequences.obs, sequences.actor_state, sequences.reset)
    never, _ = ppo.actor(sequences.obs, sequences.actor_state, torch.zeros_like(sequences.reset))
    first = int(sequences.reset[:, 0].nonzero()[0])
    assert torch.equal(remembering.mean[:first, 0], never.mean[:first, 0])
    assert not torch.allclose(remembering.mean[first, 0], never.mean[first, 0])


def test_every_episode_is_judged_as_if_it_were_alone(memory):
    """Each with a memory of its own, also its last observation, which no later one remembers."""
    ppo, env = make(make_cfg(memory))
    critic, buffer = ppo.critic, ppo.buffer
    last_obs = roll_out(ppo, env, env.reset(1))
    with torch.no_grad():
        said = evaluate(critic, buffer, last_obs, critic.memory.initial_state(N, env.device))
        for n in range(N):
            state = critic.memory.initial_state(1, env.device)
            for t in range(T):
                value, state = critic.step({"critic": buffer.obs["critic"][t, n : n + 1]}, state)
                torch.testing.assert_close(said.values[t, n], value[0])
                if buffer.done[t, n]:
                    final, _ = critic.step({"critic": buffer.final_obs["critic"][t, n : n + 1]}, state)
                    torch.testing.assert_close(said.final_values[t, n], final[0])
                    state = critic.memory.initial_state(1, env.device)
            last, _ = critic.step({"critic": last_obs["critic"][n : n + 1]}, state)
            torch.testing.assert_close(said.last_values[n], last[0])
    assert buffer.done.any()


def parameters(ppo: Ppo) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.detach().clone()
        for name, network in ppo.networks.items()
        for key, value in network.named_parameters()
    }


@pytest.mark.parametrize("length", [2, 4, 8])
def test_without_a_memory_sequences_change_nothing(one_thread, length):
    """The gradient of all samples is the same in any pieces."""
    learned = []
    for cfg in (make_cfg(), make_cfg(algorithm=replace(PPO, sequence_length=length))):
        ppo, env = make(cfg)
        ppo.update(roll_out(ppo, env, env.reset(1)))
        learned.append(parameters(ppo))
    for name, value in learned[0].items():
        torch.testing.assert_close(learned[1][name], value, rtol=1e-5, atol=1e-7)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(N)), kind=st.sampled_from(sorted(MEMORIES)))
def test_environments_in_another_order_give_the_same_in_that_order(order, kind):
    ppo, env = make(make_cfg(MEMORIES[kind]))
    obs = roll_out(ppo, env, env.reset(1))
    sequences = ppo._evaluate(obs)
    permuted = sequences.select(torch.tensor(order))
    with torch.no_grad():
        distribution, _ = ppo.actor(sequences.obs, sequences.actor_state, sequences.reset)
        other, _ = ppo.actor(permuted.obs, permuted.actor_state, permuted.reset)
    torch.testing.assert_close(other.mean, distribution.mean[:, list(order)])


@pytest.mark.parametrize(("steps", "num_envs"), [(1, 4), (8, 1)])
def test_it_learns_from_one_environment_and_from_single_steps(memory, steps, num_envs):
    ppo, env = make(replace(make_cfg(memory), num_steps_per_env=steps), num_envs)
    before, obs = parameters(ppo), env.reset(1)
    for _ in range(steps):
        result = env.step(ppo.act(obs))
        ppo.record(result)
        obs = result.obs
    ppo.update(obs)
    after = parameters(ppo)
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(before[name], value) for name, value in after.items())


def test_the_gradient_reaches_the_memory(memory):
    ppo, env = make(make_cfg(memory))
    before = parameters(ppo)
    ppo.update(roll_out(ppo, env, env.reset(1)))
    after = parameters(ppo)
    for network in ("actor", "critic"):
        moved = [
            name
            for name in after
            if name.startswith(f"{network}.memory.") and not torch.equal(before[name], after[name])
        ]
        assert moved


def test_a_resumed_run_goes_on_to_the_bit(memory, tmp_path, one_thread):
    straight = OnPolicyRunner(make_env(), make_cfg(memory))
    straight.learn(4)
    first = OnPolicyRunner(make_env(), make_cfg(memory))
    first.learn(2)
    first.save(tmp_path / "model.pt")
    second = OnPolicyRunner(make_env(), make_cfg(memory))
    second.load(tmp_path / "model.pt")
    second.learn(2)
    for name, value in straight.algorithm.networks["actor"].state_dict().items():
        assert torch.equal(second.algorithm.networks["actor"].state_dict()[name], value), name


def test_a_policy_outside_of_training_forgets_where_it_is_told_to(memory):
    runner, env = OnPolicyRunner(make_env(), make_cfg(memory)), make_env()
    policy, first = runner.get_inference_policy(), env.reset(1)
    then = env.step(torch.ones(N, 1)).obs
    policy(first)
    remembering = policy(then)
    policy.reset()
    fresh = policy(then)
    assert not torch.isclose(remembering, fresh).any()
    policy.reset()
    policy(first)
    policy.reset(torch.tensor([True, False, False, False]))
    again = policy(then)
    torch.testing.assert_close(again[0], fresh[0])
    torch.testing.assert_close(again[1:], remembering[1:])


def test_a_reset_zeroes_the_state_of_those_that_are_done():
    (state,) = reset_state((torch.ones(2, 3, 4),), torch.tensor([False, True, False]))
    assert state[:, 1].eq(0).all()
    assert state[:, [0, 2]].eq(1).all()
