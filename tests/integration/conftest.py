"""The scripts as a user runs them: in processes of their own, in an empty folder."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--task", "Cartpole", "--num_envs", "16", "--log_root", "logs")

Script = Callable[..., subprocess.CompletedProcess]


def command(name: str, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *words]


@pytest.fixture(scope="session")
def script() -> Script:
    """`script("train", "--task", …, cwd=folder)` runs scripts/train.py there."""

    def run(name: str, *words: str, cwd: Path, **options) -> subprocess.CompletedProcess:
        return subprocess.run(command(name, *words), cwd=cwd, capture_output=True, text=True, timeout=300, **options)

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """The same, without waiting for it; its output goes into the file `said`. None of them outlives the test."""
    started: list[subprocess.Popen] = []

    def popen(name: str, *words: str, cwd: Path) -> subprocess.Popen:
        with (cwd / "said").open("w") as said:
            started.append(subprocess.Popen(command(name, *words), cwd=cwd, stdout=said, stderr=said, text=True))
        return started[-1]

    yield popen
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def trained(script, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a small run of Cartpole, three iterations long, and what was said while it ran."""
    cwd = tmp_path_factory.mktemp("trained")
    done = script("train", *SMALL, "--max_iterations", "3", "agent.save_interval=2", "--run_name", "small", cwd=cwd)
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "logs" / "cartpole").iterdir()
    return run, done
