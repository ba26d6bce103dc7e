"""The lane of the real Isaac Lab: `./isaaclab.sh -t isaaclab`."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ASSETS = Path(tempfile.mkdtemp(prefix="isaaclab-assets-"))

Launch = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Isaac Lab and Warp warn of this and that, which is theirs; a warning of ours is an error, as everywhere."""
    for line in ("default", "error:::fleetfoot"):
        config.addinivalue_line("filterwarnings", line)
    # Before Isaac Lab is imported, here or in a process of a test.
    path = os.pathsep.join([str(ROOT / "source"), str(ROOT / "extension")])
    command = [sys.executable, str(Path(__file__).with_name("assets.py")), str(ASSETS)]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True, capture_output=True, timeout=300)
    os.environ["ISAACSIM_ASSET_ROOT"] = str(ASSETS)


def pytest_unconfigure() -> None:
    shutil.rmtree(ASSETS, ignore_errors=True)


Made = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="session")
def made() -> Made:
    """`with made("Isaac-Cartpole", 4, **{"env.field": "value"}) as env`: one at a time, as Isaac Lab has it.

    With `play=True` it is the environment that is played in and filmed.
    """
    from fleetfoot.tasks.simulators import Request
    from fleetfoot_isaaclab.simulator import SIMULATOR

    @contextmanager
    def make(
        name: str, num_envs: int, *words: str, seed: int = 1, play: bool = False, **overrides: str
    ) -> Iterator[Any]:
        task = SIMULATOR.find_task(name, Request(words=words))
        assert task is not None
        paths = {path.removeprefix("env."): value for path, value in overrides.items()}
        cfg = task.cfgs.override(task.env_cfg(), {"scene.num_envs": str(num_envs), **paths})
        env = task.make_env(task.play_mode(cfg) if play else cfg, device="cpu", seed=seed)
        try:
            yield env
        finally:
            env.close()

    return make


@pytest.fixture(scope="session")
def script() -> Callable[..., str]:
    """`script("train", "--task", …)` runs one of our scripts, and returns what it printed."""

    def run(name: str, *words: str, cwd: Path = ROOT) -> str:
        path = os.pathsep.join([str(ROOT / "source"), str(ROOT / "extension")])
        command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *words]
        ran = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, cwd=cwd, capture_output=True, text=True, timeout=600
        )
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
        return ran.stdout

    return run


@pytest.fixture(scope="session")
def launch() -> Launch:
    """`launch("-i", env=…)` runs this clone's launcher, with nothing in the environment but what is given."""

    def run(*words: str, env: dict[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "isaaclab.sh"), *words]
        return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's environment with Isaac Lab: all packages of the lane, and a place of its own for what is installed."""
    folder = tmp_path_factory.mktemp("somebody's") / "env isaaclab"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    (site_packages / "all_of_the_lane.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of assets that Isaac Lab is told of by `ISAACSIM_ASSET_ROOT`."""
    folder = tmp_path_factory.mktemp("assets")
    command = [sys.executable, str(ROOT / "tests/isaaclab/assets.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder
