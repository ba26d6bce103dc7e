"""Where what was seen before decides, a policy that remembers is right, and one that does not can only guess."""

import pytest
import torch

from fleetfoot.algorithms.config import LinearCfg, PpoCfg
from fleetfoot.core.check import check_actions, check_vec_env
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.models.config import ActorCfg, AttentionCfg, CriticCfg, GruCfg, LstmCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner

LENGTH, ITERATIONS = 10, 60
MEMORIES = {
    "lstm": LstmCfg(hidden_dim=32),
    "gru": GruCfg(hidden_dim=32),
    "attention": AttentionCfg(context=LENGTH, hidden_dim=32, num_heads=2),
}


class Corridor:
    """A sign at the entrance of a corridor says which way to turn at its end; the signs between are for others.

    Only the last step is rewarded: 1 for the right way, which is an action of the sign's sign, and 0 for the other. A
    corridor is `LENGTH / 2` to `LENGTH` steps long. Observed are the sign that hangs here, 1 or -1, and whether here is
    the entrance, or the end.
    """

    step_dt = 0.1
    max_episode_length = LENGTH
    device = torch.device("cpu")
    action_spec = ActionSpec(size=1)

    def __init__(self, num_envs: int) -> None:
        self.num_envs, self.observation_spec = num_envs, {"policy": (3,)}
        self.episode_length = torch.zeros(num_envs, dtype=torch.int64)
        self.reset(0)

    def reset(self, seed=None):
        if seed is not None:
            self._generator = make_generator(seed, "corridor")
        self.episode_length.zero_()
        self._lengths, self._signs = self._draw_lengths(), self._draw_signs()
        self._right_way = self._signs
        return self._observe()

    def step(self, actions) -> StepResult:
        check_actions(self, actions)
        done = self._is_end
        reward = (done & ((actions[:, 0] > 0) == (self._right_way > 0))).float()
        self.episode_length += 1
        self._signs = self._draw_signs()
        final_obs = self._observe()
        self.episode_length *= ~done
        self._lengths = torch.where(done, self._draw_lengths(), self._lengths)
        self._right_way = torch.where(done, self._signs, self._right_way)
        return StepResult(
            obs=self._observe(),
            reward=reward,
            terminated=done,
            truncated=torch.zeros_like(done),
            final_obs=final_obs,
        )

    def close(self) -> None:
        pass

    @property
    def _is_end(self):
        return self.episode_length >= self._lengths - 1

    def _draw_lengths(self):
        return torch.randint(LENGTH // 2, LENGTH + 1, (self.num_envs,), generator=self._generator)

    def _draw_signs(self):
        return torch.randint(2, (self.num_envs,), generator=self._generator) * 2.0 - 1.0

    def _observe(self):
        is_entrance = self.episode_length == 0
        return {"policy": torch.stack((self._signs, is_entrance.float(), self._is_end.float()), dim=-1)}


def right_turns(memory, seed: int) -> float:
    """Share of corridors at whose end a policy turns the right way, after 76,800 steps of training."""
    network = MlpCfg(hidden_dims=(32,), activation="tanh")
    cfg = OnPolicyRunnerCfg(
        experiment_name="corridor",
        seed=seed,
        num_steps_per_env=2 * LENGTH,
        obs_groups=ObsGroupsCfg(critic=("policy",)),
        algorithm=PpoCfg(
            num_learning_epochs=4,
            num_mini_batches=2,
            learning_rate=3e-3,
            schedule=LinearCfg(final=3e-4, iterations=ITERATIONS),
            entropy_coef=0.0,
        ),
        actor=ActorCfg(network=network, memory=memory),
        critic=CriticCfg(network=network, memory=memory),
    )
    runner = OnPolicyRunner(Corridor(64), cfg)
    runner.learn(ITERATIONS)
    policy, env = runner.get_inference_policy(), Corridor(256)
    obs, ended, right = env.reset(1_000), 0, 0
    for _ in range(10 * LENGTH):
        result = env.step(policy(obs))
        policy.reset(result.terminated)
        obs, ended, right = result.obs, ended + result.terminated.sum(), right + result.reward.sum()
    return float(right / ended)


def test_the_corridor_keeps_the_contract():
    check_vec_env(Corridor(8))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_a_memory_a_policy_can_only_guess(seed, one_thread):
    assert 0.45 < right_turns(None, seed) < 0.55


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("memory", MEMORIES)
def test_with_a_memory_it_turns_the_right_way(memory, seed, one_thread):
    assert right_turns(MEMORIES[memory], seed) > 0.95
