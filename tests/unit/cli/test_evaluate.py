import pytest
import torch

from fleetfoot.cli.evaluate import measure
from fleetfoot.core.toy_env import ToyEnv


class Idle:
    """A policy that does nothing, and counts how often it was asked and reset."""

    def __init__(self):
        self.asked, self.resets = 0, []

    def __call__(self, obs):
        self.asked += 1
        return torch.zeros(len(obs["policy"]), 1)

    def reset(self, done=None):
        self.resets.append(done.tolist())


def test_reward_falls_and_metrics_by_hand():
    env, policy = ToyEnv(4, max_episode_length=6, terminate_after=(9, 2)), Idle()
    env.reset(3)
    reference = ToyEnv(4, max_episode_length=6, terminate_after=(9, 2))
    reference.reset(3)
    reference.reset()
    results = [reference.step(torch.zeros(4, 1)) for _ in range(5)]
    evaluation = measure(env, policy, seconds=0.5)
    assert (evaluation.num_envs, evaluation.seconds, policy.asked) == (4, 0.5, 5)
    assert evaluation.fallen == 0.25
    reward = sum(result.reward.mean().item() for result in results)
    assert evaluation.reward_per_second == pytest.approx(reward / 0.5)
    distances = [result.metrics["Metrics/distance"].item() for result in results]
    assert evaluation.metrics == {"distance": pytest.approx(sum(distances) / 5)}


def test_the_policy_forgets_where_an_episode_ended():
    policy = Idle()
    measure(ToyEnv(2, max_episode_length=3, terminate_after=(9, 2)), policy, seconds=0.3)
    assert policy.resets == [[False, False], [False, True], [True, False]]
