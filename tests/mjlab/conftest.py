"""The lane of the real mjlab: `./isaaclab.sh -t mjlab`."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """mjlab and Warp warn of this and that, which is theirs; a warning of ours is an error, as everywhere."""
    for line in ("default", "error:::fleetfoot"):
        config.addinivalue_line("filterwarnings", line)
