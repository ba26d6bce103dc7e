"""Which way things point: the contracts in pyproject.toml, which docs/architecture.md says in words."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_import_contracts_hold() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    path = os.pathsep.join([str(ROOT / "source"), str(ROOT / "extension")])
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 broken" in ran.stdout


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """The contracts bite: a learning module that imports a simulator is named."""
    for package in ("source", "extension"):
        (tmp_path / package).mkdir()
        for found in (ROOT / package).rglob("*.py"):
            copy = tmp_path / found.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(found.read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "source/fleetfoot/algorithms/cheat.py").write_text("import mujoco\n")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    path = os.pathsep.join([str(tmp_path / "source"), str(tmp_path / "extension")])
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert "fleetfoot.algorithms.cheat -> mujoco" in ran.stdout
