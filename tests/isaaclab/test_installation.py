"""Fleetfoot in somebody's Isaac Lab: found by the launcher, and left as it was but for fleetfoot."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def around(installation: Path, layout: str, home: Path) -> dict[str, str]:
    """The variables with which a shell says that the installation is active."""
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_BUILD_ISOLATION": "0"}
    clean = {"HOME": str(home), "PATH": os.environ["PATH"], **offline}
    match layout:
        case "venv":
            return clean | {"VIRTUAL_ENV": str(installation)}
        case "conda":
            conda = {"CONDA_PREFIX": str(installation), "CONDA_DEFAULT_ENV": "isaaclab", "CONDA_SHLVL": "1"}
            return clean | conda
        case _:
            raise AssertionError(layout)


def freeze(installation: Path) -> list[str]:
    command = [str(installation / "bin/python"), "-m", "pip", "freeze", "--all"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["venv", "conda"])
def test_it_is_found_and_left_unchanged_but_for_fleetfoot(launch, installation: Path, tmp_path: Path, layout) -> None:
    env = around(installation, layout, tmp_path)
    python = str(installation / "bin/python")
    before = freeze(installation)
    try:
        ran = launch("-i", env=env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert f"Python: {python} (the active environment has isaaclab)" in ran.stderr
        after = freeze(installation)
        assert [line for line in before if line not in after] == []
        added = [line for line in after if line not in before]
        assert len([line for line in added if not line.startswith("#")]) == 1
        # Where a clone has no remote, pip names what is installed in a comment, and the folder alone below it.
        assert "fleetfoot" in added[0]
        assert "making the environment" not in ran.stderr
    finally:
        subprocess.run([python, "-m", "pip", "uninstall", "--yes", "fleetfoot"], check=True, capture_output=True)
    assert freeze(installation) == before


LOADS = """
import sys
from isaaclab.cli import load_external_tasks
load_external_tasks()
print(sys.modules["fleetfoot_isaaclab.tasks"].__file__)
"""


@pytest.mark.slow
def test_isaac_lab_finds_its_tasks_by_the_entry_point(launch, installation: Path, tmp_path: Path) -> None:
    env = around(installation, "venv", tmp_path)
    python = str(installation / "bin/python")
    installed = launch("-i", env=env)
    assert installed.returncode == 0, installed.stderr
    try:
        command = [python, "-c", LOADS]
        loaded = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
        expected = str(ROOT / "extension/fleetfoot_isaaclab/tasks/__init__.py")
        assert loaded.stdout.splitlines()[-1:] == [expected], loaded.stderr
    finally:
        subprocess.run([python, "-m", "pip", "uninstall", "--yes", "fleetfoot"], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["-p", "as a module"])
def test_scripts_run_in_it_by_both_launchers(launch, installation: Path, tmp_path: Path, how: str) -> None:
    """Ours, and Isaac Lab's own: `python -m isaaclab -p scripts/train.py`."""
    env = around(installation, "venv", tmp_path)
    if how == "-p":
        ran = launch("-p", "scripts/train.py", "--help", env=env, cwd=tmp_path)
    else:
        command = [str(installation / "bin/python"), "-m", "isaaclab", "-p", str(ROOT / "scripts/train.py"), "--help"]
        ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert "--max_iterations" in ran.stdout
