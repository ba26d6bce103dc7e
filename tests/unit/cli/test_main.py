import subprocess
import sys
from pathlib import Path

import pytest

from fleetfoot import __version__
from fleetfoot.cli import main as module
from fleetfoot.cli.main import main
from fleetfoot.errors import ConfigError
from fleetfoot.tasks.registry import task_names


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in ("train", "play", "evaluate", "export", "list-tasks"))


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fleetfoot {__version__}\n"


def test_the_module_is_the_command():
    source = Path(module.__file__).parents[2]
    done = subprocess.run([sys.executable, "-m", "fleetfoot", "--version"], cwd=source, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"fleetfoot {__version__}\n")


def test_the_tasks_with_their_agents(capsys):
    assert main(["list-tasks"]) == 0
    said = capsys.readouterr().out
    assert "Cartpole" in said
    assert "agents: ppo" in said
    assert "# --sim gymnasium\ngymnasium:ID\n# --sim mujoco\n" in said


def test_the_tasks_of_one_simulator(capsys):
    assert main(["list-tasks", "--sim", "gymnasium"]) == 0
    assert capsys.readouterr().out == "# --sim gymnasium\ngymnasium:ID\n"


def test_an_error_is_one_line_on_stderr_and_status_2(capsys):
    assert main(["train", "--task", "Cartpol"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: --task: got 'Cartpol'; expected the name of a task. Did you mean 'Cartpole'?\n"


@pytest.mark.parametrize(("error", "status"), [(ConfigError("x", got=1, expected="2"), 2), (KeyboardInterrupt(), 130)])
def test_how_a_command_ended_is_its_status(monkeypatch, error, status):
    def fail(words):
        raise error

    monkeypatch.setattr(module, "_run", fail)
    assert main(["train"]) == status


def test_what_is_not_ours_is_not_hidden(monkeypatch):
    def fail(words):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["train"])


def test_help_of_a_command_is_that_of_a_task(capsys):
    assert main(["train", "--task", "Cartpole", "--help"]) == 0
    assert "fields of Cartpole, agent ppo" in capsys.readouterr().out


def test_help_without_a_task_shows_one_as_an_example(capsys):
    assert main(["train", "--help"]) == 0
    assert f"fields of {task_names()[0]}, agent " in capsys.readouterr().out


def test_help_of_an_unknown_task_is_an_error(capsys):
    assert main(["train", "--task", "x", "--help"]) == 2
    assert "--task: got 'x'" in capsys.readouterr().err
