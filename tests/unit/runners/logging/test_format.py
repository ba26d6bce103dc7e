import math
import random

import pytest

from fleetfoot.runners.logging.format import compact, duration, shorten, shorten_path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (23.412, "23.41"),
        (0.0, "0.000"),
        (-0.05886, "-0.0589"),
        (0.00013, "1.3e-4"),
        (12345.6, "12,346"),
        (999.97, "1,000"),
        (-123456.0, "-1.2e5"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_compact(value, text):
    assert compact(value) == text


def test_compact_never_needs_more_than_seven_characters():
    numbers = random.Random(0)
    for _ in range(5000):
        value = numbers.choice((-1, 1)) * 10 ** numbers.uniform(-9, 9)
        assert len(compact(value)) <= 7
        assert float(compact(value).replace(",", "")) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("seconds", "text"), [(7, "0:07"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (math.nan, "-:--")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_shorten_keeps_the_beginning_of_a_name_and_the_end_of_a_path():
    assert shorten("undesired contacts", 10, "…") == "undesired…"
    assert shorten_path("logs/fleetfoot/run_one", 8, "…") == "…run_one"
    assert shorten_path("short", 8, "…") == "short"
