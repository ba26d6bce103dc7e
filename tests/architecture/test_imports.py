"""Which way things point: the contracts in pyproject.toml, which docs/architecture.md says in words."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "source"), str(root / "extension")])}
    return subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True)


def test_import_contracts_hold() -> None:
    ran = lint_imports(ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 broken" in ran.stdout


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """The contracts bite: a learning module that imports a simulator is named."""
    for package in ("source", "extension"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "source/fleetfoot/algorithms/cheat.py").write_text("import mujoco\n")
    ran = lint_imports(tmp_path)
    assert ran.returncode == 1
    assert "fleetfoot.algorithms.cheat -> mujoco" in ran.stdout
