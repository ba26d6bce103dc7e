"""What the names of joints say of sides: which joint is left for a right one, and front for a hind one.

The words are those that robots use: `left_hip` and `right_hip`, `LHipPitch`, `LF_HAA` and `RH_HAA`, `FL_calf` and
`RR_calf`. `R` is right in one place and rear in another; what is meant is what gives most joints a partner.

No torch here: this is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

__all__ = ["Contradiction", "find_contradiction"]

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^A-Za-z]+")

Words = Mapping[str, str]
"""What each word becomes in the mirror, in lower case."""


@dataclass(frozen=True)
class Contradiction:
    """A joint that is not taken from the one that its name says."""

    joint: str
    partner: str
    """What it is taken from."""
    expected: str
    """What its name says."""


def find_contradiction(names: Sequence[str], index: Sequence[int]) -> Contradiction | None:
    """The first joint that a mirror image takes from another one than its name says.

    The names may agree with any one of: left for right, front for hind, both. Joints whose names say no side, or whose
    partner does not exist, may be taken from anywhere.

    Args:
        names: One per joint.
        index: `names[index[i]]` is what joint `i` is taken from.

    Returns:
        None if there is none; otherwise of the kind of image that the most joints agree with.
    """
    left_right, front_hind = max(_LANGUAGES, key=lambda words: sum(len(_partners(names, w)) for w in words))
    closest: tuple[int, Contradiction] | None = None
    for swaps in ((left_right,), (front_hind,), (left_right, front_hind)):
        said = _partners(names, *swaps)
        wrong = [
            Contradiction(name, names[i], said[name])
            for name, i in zip(names, index, strict=True)
            if name in said and said[name] != names[i]
        ]
        if said and not wrong:
            return None
        agreeing = len(said) - len(wrong)
        if wrong and (closest is None or agreeing > closest[0]):
            closest = agreeing, wrong[0]
    return closest[1] if closest else None


def _partners(names: Sequence[str], *swaps: Words) -> dict[str, str]:
    """Each joint whose name says a side, and the one that has the other side."""
    found = {name: reduce(_exchange, swaps, name) for name in names}
    return {name: partner for name, partner in found.items() if partner != name and partner in found}


def _exchange(name: str, words: Words) -> str:
    """The name with each word exchanged for its other one, upper case for upper case."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        swapped = words.get(word.lower(), word)
        return swapped.upper() if word.isupper() else swapped.capitalize() if word.istitle() else swapped

    return _WORDS.sub(other, name)


def _languages() -> Iterator[tuple[Words, Words]]:
    """Left for right and front for hind, in each way of saying it."""
    ends = (("front", "hind", "h"), ("front", "rear", "r"), ("front", "back", "b"), ("fore", "hind", "h"))
    for (front, hind, h), join in product(ends, (str.__add__, lambda side, end: end + side)):
        left_right = {"left": "right", "l": "r", **{join("l", end): join("r", end) for end in ("f", "m", h)}}
        front_hind = {front: hind, "f": h, **{join(side, "f"): join(side, h) for side in ("l", "r")}}
        yield _both_ways(left_right), _both_ways(front_hind)


def _both_ways(words: Words) -> Words:
    return {**{b: a for a, b in words.items()}, **words}


_LANGUAGES = tuple(_languages())
