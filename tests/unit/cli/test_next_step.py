import sys
from pathlib import Path

import pytest

from fleetfoot.cli.arguments import parse
from fleetfoot.cli.next_step import LAUNCHER, how_to_go_on, how_to_play
from fleetfoot.cli.plan import make_plan
from fleetfoot.core.distributed import ALONE

FOLDER = Path("logs/my run")
FLAGS = "--task Cartpole --checkpoint 'logs/my run'"
RANKS = "-m torch.distributed.run --standalone --nproc_per_node 2 "


class Two:
    """As many as torchrun started."""

    launcher = RANKS


@pytest.fixture
def plan():
    return make_plan(parse("train", ["--task", "Cartpole"]))


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Sets how this process was started: its first word, and the launcher, if that was typed."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    scripts = tmp_path / "my clone" / "scripts"
    scripts.mkdir(parents=True)
    for name in ("train", "play"):
        (scripts / f"{name}.py").touch()
    monkeypatch.chdir(tmp_path)

    def set_(word: str, launcher: str | None = None, *, on_path: bool = True) -> None:
        monkeypatch.setattr(sys, "argv", [word, "--task", "Cartpole"])
        monkeypatch.setattr(sys, "executable", str(python))
        monkeypatch.setenv("PATH", str(python.parent) if on_path else "/usr/bin:/bin")
        monkeypatch.delenv(LAUNCHER, raising=False)
        if launcher is not None:
            monkeypatch.setenv(LAUNCHER, launcher)

    return set_


@pytest.mark.parametrize(
    ("word", "launcher", "typed"),
    [
        ("my clone/scripts/train.py", "./isaaclab.sh -p", "./isaaclab.sh -p scripts/play.py"),
        ("my clone/scripts/train.py", "bash isaaclab.sh -p", "bash isaaclab.sh -p scripts/play.py"),
        ("my clone/scripts/train.py", None, "python 'my clone/scripts/play.py'"),
        ("/venv/bin/fleetfoot", None, "fleetfoot play"),
        ("/venv/lib/fleetfoot/__main__.py", None, "python -m fleetfoot play"),
        ("/venv/lib/fleetfoot/__main__.py", "./isaaclab.sh -p", "./isaaclab.sh -p -m fleetfoot play"),
        # Somebody's own scripts that call the command: one started by the launcher, one with a name of ours.
        ("/elsewhere/sweep.py", "./isaaclab.sh -p", "./isaaclab.sh -p -m fleetfoot play"),
        ("/elsewhere/train.py", None, "fleetfoot play"),
    ],
)
def test_what_to_type_is_what_was_typed(plan, started, word, launcher, typed):
    started(word, launcher)
    assert how_to_play(plan, FOLDER) == f"{typed} {FLAGS}"


def test_another_python_is_named_in_full(plan, started, tmp_path):
    started("my clone/scripts/train.py", on_path=False)
    assert how_to_play(plan, FOLDER) == f"{tmp_path}/bin/python 'my clone/scripts/play.py' {FLAGS}"


@pytest.mark.parametrize(
    ("word", "launcher", "typed"),
    [
        ("my clone/scripts/train.py", "./isaaclab.sh -p", f"./isaaclab.sh -p {RANKS}'my clone/scripts/train.py'"),
        ("my clone/scripts/train.py", None, f"python {RANKS}'my clone/scripts/train.py'"),
        ("/venv/lib/fleetfoot/__main__.py", None, f"python {RANKS}-m fleetfoot train"),
    ],
)
def test_ranks_go_on_as_many(plan, started, word, launcher, typed):
    started(word, launcher)
    expected = f"{typed} --task Cartpole --resume --checkpoint 'logs/my run' --distributed"
    assert how_to_go_on(plan, FOLDER, Two()) == expected


def test_one_goes_on_alone(plan, started):
    started("/venv/bin/fleetfoot")
    assert how_to_go_on(plan, FOLDER, ALONE) == "fleetfoot train --task Cartpole --resume --checkpoint 'logs/my run'"
