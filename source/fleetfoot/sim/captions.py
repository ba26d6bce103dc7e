"""Text in the frames of a film."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Line", "plain_lines", "write_text"]

Line: TypeAlias = list[tuple[str, tuple[float, float, float]]]
"""Pieces of text with their colours: red, green, blue, each in [0, 1]."""
_TEXT_COLOUR = (0.92, 0.94, 0.96)


def plain_lines(caption: str) -> list[Line]:
    """The lines of a text, in the colour that text has."""
    return [[(line, _TEXT_COLOUR)] for line in caption.splitlines()]


def write_text(frame: NDArray[np.uint8], lines: list[Line]) -> NDArray[np.uint8]:
    """The frame with lines of coloured text on a dark strip at its lower edge; as it is where it is too small to read.

    Args:
        frame: `[height, width, 3]`.
        lines: Each line as pieces of text with their colours.
    """
    height, width, _ = frame.shape
    if not lines or height < 120:
        return frame
    pixels = max(11, height // 32)
    font = ImageFont.load_default(pixels)
    step = round(pixels * 1.45)
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image, "RGBA")
    top = height - step * len(lines) - pixels // 2
    draw.rectangle((0, top, width, height), fill=(12, 16, 22, 150))
    for row, pieces in enumerate(lines):
        x = float(pixels)
        for text, colour in pieces:
            draw.text((x, top + pixels // 3 + row * step), text, font=font, fill=tuple(round(255 * c) for c in colour))
            x += draw.textlength(text, font=font)
    return np.asarray(image)
