"""stable-baselines3 trains in an environment of fleetfoot, taken from Gymnasium.

    ./isaaclab.sh -p examples/gymnasium_sb3.py fleetfoot/Cartpole-v0 200000

stable-baselines3 has vector environments of its own kind; the class below makes one of any of Gymnasium's that resets
in the same step.
"""

import sys

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

import fleetfoot.gymnasium


class Sb3VecEnv(VecEnv):
    def __init__(self, envs: gymnasium.vector.VectorEnv) -> None:
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self):
        obs, _ = self.envs.reset(seed=self._seeds[0])
        self._reset_seeds()
        return obs

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        obs, reward, terminated, truncated, infos = self.envs.step(self.actions)
        done = terminated | truncated
        each = [{} for _ in range(self.num_envs)]
        for i in done.nonzero()[0]:
            # What a truncated episode would have been worth is seen by its last observation.
            each[i] = {"terminal_observation": infos["final_obs"][i], "TimeLimit.truncated": bool(truncated[i])}
        return obs, reward, done, each

    def close(self):
        self.envs.close()

    def get_attr(self, attr_name, indices=None):
        return [getattr(self.envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError("all environments are one object")

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise NotImplementedError("all environments are one object")

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


def main(task_id: str, num_steps: int, num_envs: int = 64) -> PPO:
    envs = VecMonitor(Sb3VecEnv(gymnasium.make_vec(task_id, num_envs=num_envs)))
    learner = PPO("MlpPolicy", envs, n_steps=32, batch_size=512, n_epochs=5, seed=0, device="cpu", verbose=1)
    learner.learn(num_steps)
    envs.close()
    return learner


if __name__ == "__main__":
    assert sys.argv[1] in fleetfoot.gymnasium.ids(), fleetfoot.gymnasium.ids()
    main(sys.argv[1], int(sys.argv[2]))
