"""The lane of the real Isaac Lab: `./isaaclab.sh -t isaaclab`."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Launch = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Isaac Lab and Warp warn of this and that, which is theirs; a warning of ours is an error, as everywhere."""
    for line in ("default", "error:::fleetfoot"):
        config.addinivalue_line("filterwarnings", line)


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
