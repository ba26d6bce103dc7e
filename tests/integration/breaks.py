"""scripts/train.py for a Cartpole whose second rank breaks in the third iteration; test_distributed.py runs it."""

import os
import sys
from dataclasses import replace

from fleetfoot.cli.main import script
from fleetfoot.core.vec_env import StepResult, VecEnv
from fleetfoot.tasks.cartpole import TASK
from fleetfoot.tasks.registry import register


class Breaks:
    def __init__(self, env: VecEnv):
        self._env, self._left = env, 40

    def __getattr__(self, name):
        return getattr(self._env, name)

    def step(self, actions) -> StepResult:
        self._left -= 1
        if os.environ["RANK"] == "1" and self._left < 0:
            raise ZeroDivisionError("on purpose")
        return self._env.step(actions)


def make_env(cfg, *, device, seed) -> VecEnv:
    return Breaks(TASK.make_env(cfg, device=device, seed=seed))


if __name__ == "__main__":
    register(replace(TASK, name="Breaks", make_env=make_env))
    sys.exit(script("train"))
