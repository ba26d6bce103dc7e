import pytest

from fleetfoot import errors
from fleetfoot.errors import ConfigError, ContractError, FleetfootError


def test_a_message_says_where_got_expected_and_what_to_do():
    error = FleetfootError("--task", got="'Cart'", expected="the name of a task", fix="Did you mean 'Cartpole'?")
    assert str(error) == "--task: got 'Cart'; expected the name of a task. Did you mean 'Cartpole'?"


def test_without_a_fix_the_message_ends_after_what_was_expected():
    assert str(FleetfootError("a", got=1, expected="2")) == "a: got 1; expected 2."


def test_the_parts_stay_readable_for_programs():
    error = ConfigError("agent.seed", got=-1, expected="at least 0", fix="Raise it.")
    assert (error.where, error.got, error.expected, error.fix) == ("agent.seed", -1, "at least 0", "Raise it.")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "FleetfootError"])
def test_every_error_is_caught_as_one_of_ours(name):
    assert issubclass(getattr(errors, name), FleetfootError)


@pytest.mark.parametrize("cls", [ConfigError, ContractError])
def test_wrong_input_is_a_value_error_too(cls):
    assert issubclass(cls, ValueError)
