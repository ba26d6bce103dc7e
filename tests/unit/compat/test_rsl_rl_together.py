"""A script for rsl_rl, as two processes that train together and as one that has the environments of both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("rsl_rl_together.py")
RUNS = ("ppo", "distillation")


@pytest.fixture(scope="module")
def both(as_two_ranks):
    """What two ranks found, of which each had four environments."""
    return as_two_ranks(SCRIPT)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process found, with all eight."""
    folder = tmp_path_factory.mktemp("alone")
    env = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run([sys.executable, str(SCRIPT), str(folder)], env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return torch.load(folder / "0.pt", weights_only=False)


def named(networks):
    return {f"{name}.{key}": x for name, state in networks.items() for key, x in state.items()}


@pytest.mark.parametrize("run", RUNS)
def test_both_have_the_same_networks(both, run):
    one, other = (named(found[run]["networks"]) for found in both)
    assert one.keys() == other.keys()
    assert all(torch.equal(x, other[key]) for key, x in one.items())


@pytest.mark.parametrize("run", RUNS)
def test_they_are_those_of_one_process_with_all_environments(both, alone, run):
    together, single = named(both[0][run]["networks"]), named(alone[run]["networks"])
    for key, x in single.items():
        torch.testing.assert_close(together[key], x, rtol=1e-4, atol=2e-5, msg=key)


@pytest.mark.parametrize("run", RUNS)
def test_what_scripts_ask_for(both, alone, run):
    assert [found[run]["numbers"] for found in both] == [(True, 2, 0, 0), (True, 2, 1, 1)]
    assert alone[run]["numbers"] == (False, 1, 0, 0)
    assert [found[run]["counts"] for found in (*both, alone)] == [(2, 3 * 8 * 8), (2, 0), (2, 3 * 8 * 8)]


@pytest.mark.parametrize("run", RUNS)
def test_only_the_first_writes_and_both_can_read(both, run):
    assert [found[run]["writes"] for found in both] == [True, False]
    folder = both[0]["folder"] / {"ppo": "ppo", "distillation": "student"}[run]
    assert {path.name for path in folder.glob("*.pt")} == {"model_0.pt", "model_2.pt"}
    assert len(list(folder.glob("events*"))) == 1
    for found in both:
        loaded, trained = named(found[run]["loaded"]), named(found[run]["networks"])
        assert all(torch.equal(x, trained[key]) for key, x in loaded.items())


def test_a_process_that_fails_is_the_reason_why_the_other_ends(both):
    assert [found["failed"] for found in both] == [
        ("RankError", "another rank: got rank 1 ended with ZeroDivisionError: on purpose; expected all 2 to the end."),
        ("ZeroDivisionError", "on purpose"),
    ]
