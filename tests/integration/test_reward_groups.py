"""With a critic for each, a reward that is small beside another is learned from as well."""

import pytest
import torch

from fleetfoot.algorithms.config import LinearCfg, PpoCfg
from fleetfoot.core.check import check_actions, check_vec_env
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner

LENGTH, ITERATIONS = 8, 40
LOUD = 1_000.0


class TwoTargets:
    """Two targets, each for an action of its own; missing one costs `LOUD` times as much as missing the other.

    Observed are both, uniform in [-1, 1] and drawn anew in every step. The groups of rewards are `-(a_0 - x_0)^2` and
    `-LOUD (a_1 - x_1)^2`.
    """

    step_dt = 0.1
    max_episode_length = LENGTH
    device = torch.device("cpu")
    action_spec = ActionSpec(size=2)
    reward_groups = ("quiet", "loud")

    def __init__(self, num_envs: int) -> None:
        self.num_envs, self.observation_spec = num_envs, {"policy": (2,)}
        self.episode_length = torch.zeros(num_envs, dtype=torch.int64)
        self.reset(0)

    def reset(self, seed=None):
        if seed is not None:
            self._generator = make_generator(seed, "targets")
        self.episode_length.zero_()
        self._draw()
        return self._observe()

    def step(self, actions) -> StepResult:
        check_actions(self, actions)
        quiet, loud = (-(actions - self._targets).square()).unbind(dim=-1)
        groups = {"quiet": quiet, "loud": LOUD * loud}
        self.episode_length += 1
        done = self.episode_length >= LENGTH
        self._draw()
        final_obs = self._observe()
        self.episode_length *= ~done
        return StepResult(
            obs=self._observe(),
            reward=quiet + LOUD * loud,
            terminated=done,
            truncated=torch.zeros_like(done),
            final_obs=final_obs,
            reward_groups=groups,
        )

    def close(self) -> None:
        pass

    def _draw(self):
        self._targets = 2.0 * torch.rand(self.num_envs, 2, generator=self._generator) - 1.0

    def _observe(self):
        return {"policy": self._targets.clone()}


def misses(reward_groups, seed: int) -> list[float]:
    """How far both actions are from their targets in the mean, after a training; 0.5 for who stays at zero."""
    network = MlpCfg(hidden_dims=(32,), activation="tanh")
    cfg = OnPolicyRunnerCfg(
        experiment_name="targets",
        seed=seed,
        num_steps_per_env=LENGTH,
        obs_groups=ObsGroupsCfg(critic=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=4,
            num_mini_batches=2,
            learning_rate=3e-3,
            schedule=LinearCfg(final=3e-4, iterations=ITERATIONS),
            entropy_coef=0.0,
            reward_groups=reward_groups,
        ),
        actor=ActorCfg(network=network),
        critic=CriticCfg(network=network),
    )
    runner = OnPolicyRunner(TwoTargets(64), cfg)
    runner.learn(ITERATIONS)
    obs = TwoTargets(2_048).reset(1_000)
    return (runner.get_inference_policy()(obs) - obs["policy"]).abs().mean(dim=0).tolist()


def test_the_targets_keep_the_contract():
    check_vec_env(TwoTargets(8))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_critic_for_the_sum_hears_only_the_loud_one(seed, one_thread):
    quiet, loud = misses(None, seed)
    assert loud < 0.1
    assert quiet > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_a_critic_for_each_both_are_learned(seed, one_thread):
    quiet, loud = misses({"quiet": 1.0, "loud": 1.0}, seed)
    assert quiet < 0.1
    assert loud < 0.1


@pytest.mark.slow
def test_their_weights_say_what_matters_more(one_thread):
    quiet, loud = misses({"quiet": 1.0, "loud": 0.02}, 1)
    assert quiet < loud
