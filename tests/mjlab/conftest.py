"""With the real mjlab, on the CPU. The kernels are compiled once, into `WARP_CACHE_PATH`."""

import os

import pytest

from fleetfoot.sim.opengl import working_backend

os.environ["MUJOCO_GL"] = working_backend()  # mjlab would take EGL, which is not on every machine


def pytest_configure(config: pytest.Config) -> None:
    """What mjlab, Warp and torch warn of is theirs to mend; a warning of ours is an error, as everywhere."""
    for line in ("default", "error:::fleetfoot"):
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture
def make():
    """`make(name, num_envs, **overrides)`: an environment, closed after the test; `__` stands for a dot."""
    from fleetfoot.tasks.simulators import Request, choose_task

    made = []

    def make_env(name: str, num_envs: int = 3, **overrides: str):
        _, task = choose_task(name, "mjlab", Request())
        typed = {key.replace("__", "."): value for key, value in overrides.items()}
        cfg = task.cfgs.override(task.env_cfg(), {"scene.num_envs": str(num_envs), **typed})
        made.append(task.make_env(cfg, device="cpu", seed=3))
        return made[-1]

    yield make_env
    for env in made:
        env.close()
