"""Pictures: small on the disk, whole when they come back, refused when they are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.sim.footage import load_footage
from fleetfoot.sim.pictures import Pictures, compress


def plain(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_pictures_come_back(tmp_path: Path) -> None:
    before = Pictures(jpegs=(compress(plain(10)), compress(plain(200))), captions=("a\nb", ""), fps=12.5)
    before.save(tmp_path / "clip.npz")
    after = load_footage(tmp_path / "clip.npz")
    assert after == before
    assert [int(frame.mean()) for frame in after.frames()] == [10, 200]


def test_all_have_the_size_of_the_first() -> None:
    pictures = Pictures(jpegs=(compress(plain(0)), compress(plain(90, 10, 10))), captions=("", ""))
    assert [frame.shape for frame in pictures.frames()] == [(20, 30, 3)] * 2


@pytest.mark.parametrize(
    ("picture", "got"),
    [
        (None, "NoneType"),
        (np.zeros((4, 4), dtype=np.uint8), r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 4), dtype=np.uint8), r"uint8 \(4, 4, 4\)"),
        (np.zeros((4, 4, 3)), "float64"),
    ],
)
def test_what_is_no_picture(picture: object, got: str) -> None:
    with pytest.raises(ContractError, match=rf"render\(\): got {got}.*; expected a picture: uint8 \[H, W, 3\]"):
        compress(picture)


def test_they_do_not_contradict_themselves() -> None:
    with pytest.raises(ConfigError, match="a caption for each"):
        Pictures(jpegs=(b"",), captions=())
    with pytest.raises(ConfigError, match="a positive number"):
        Pictures(jpegs=(b"",), captions=("",), fps=0.0)
    with pytest.raises(ConfigError, match=r"pictures\[0\]: .*expected a JPEG"):
        list(Pictures(jpegs=(b"no picture",), captions=("",)).frames())
