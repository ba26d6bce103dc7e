"""Where the reward is out of reach of chance, curiosity finds it."""

import pytest
import torch

from fleetfoot.algorithms.config import FixedCfg, PpoCfg, RndCfg
from fleetfoot.core.check import check_actions
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner


class Lock:
    """A combination lock: the sign of each action is a digit, a wrong one begins anew, the last one opens it.

    Only opening is rewarded. With random actions, of 2^digits attempts one succeeds.
    """

    step_dt = 0.1
    device = torch.device("cpu")
    action_spec = ActionSpec(size=1)

    def __init__(self, num_envs: int, digits: int) -> None:
        self.num_envs, self.digits, self.max_episode_length = num_envs, digits, 2 * digits
        self.observation_spec = {"policy": (digits + 1,)}
        self._code = torch.randint(2, (digits + 1,), generator=make_generator(0, "code")) > 0
        self.episode_length = torch.zeros(num_envs, dtype=torch.int64)
        self._position = torch.zeros(num_envs, dtype=torch.int64)

    def reset(self, seed=None):
        self._position = torch.zeros_like(self._position)
        self.episode_length.zero_()
        return self._observe()

    def step(self, actions) -> StepResult:
        check_actions(self, actions)
        right = (actions[:, 0] > 0) == self._code[self._position]
        self._position = torch.where(right, self._position + 1, 0)
        self.episode_length += 1
        opened = self._position == self.digits
        truncated = (self.episode_length >= self.max_episode_length) & ~opened
        final_obs = self._observe()
        self._position = torch.where(opened | truncated, 0, self._position)
        self.episode_length *= ~(opened | truncated)
        return StepResult(
            obs=self._observe(), reward=opened.float(), terminated=opened, truncated=truncated, final_obs=final_obs
        )

    def close(self) -> None:
        pass

    def _observe(self):
        return {"policy": torch.nn.functional.one_hot(self._position, self.digits + 1).float()}


def opened(rnd: RndCfg | None, seed: int) -> float:
    """Share of the last episodes in which the lock was opened, after 40,960 steps."""
    network = MlpCfg(hidden_dims=(32,), activation="tanh")
    cfg = OnPolicyRunnerCfg(
        experiment_name="lock",
        seed=seed,
        num_steps_per_env=32,
        obs_groups=ObsGroupsCfg(critic=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=4,
            num_mini_batches=2,
            learning_rate=3e-3,
            schedule=FixedCfg(),
            entropy_coef=0.0,
            rnd=rnd,
        ),
        actor=ActorCfg(network=network),
        critic=CriticCfg(network=network),
    )
    runner = OnPolicyRunner(Lock(32, digits=24), cfg)
    runner.learn(40)
    return runner.scalars["Train/mean_reward"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_curiosity_opens_a_lock_of_24_digits_and_chance_does_not(seed):
    assert opened(None, seed) == 0.0
    assert opened(RndCfg(weight=10.0), seed) > 0.8
