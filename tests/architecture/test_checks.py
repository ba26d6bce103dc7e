"""The formatter, the linter and the type checker find nothing to say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(["ruff", "check", "."], id="lint"),
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["codespell_lib", "."], id="spelling"),
        pytest.param(["basedpyright", "--pythonpath", sys.executable], id="types", marks=pytest.mark.slow),
    ],
)
def test_check_is_clean(check: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
