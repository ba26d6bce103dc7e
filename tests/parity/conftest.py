"""rsl_rl leaves nothing behind."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _torch_validates_as_before() -> Iterator[None]:
    """rsl_rl switches the validation of every distribution in the process off."""
    yield
    from torch.distributions import Distribution  # not above: what hands the tests out to processes needs no torch

    Distribution.set_default_validate_args(True)
