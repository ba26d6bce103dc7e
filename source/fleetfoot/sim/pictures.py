"""What was filmed of an environment that can only give pictures: the pictures themselves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from PIL import Image

from fleetfoot.errors import ConfigError, ContractError

__all__ = ["Pictures", "compress"]

_QUALITY: Final = 95  # no loss that the video would not have as well


def compress(picture: NDArray[np.uint8]) -> bytes:
    """A picture `[H, W, 3]` as JPEG: a clip of raw ones would take hundreds of megabytes.

    Raises:
        ContractError: It is no such picture.
    """
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise ContractError("render()", got=got, expected="a picture: uint8 [H, W, 3]")
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=_QUALITY, subsampling=0)
    return file.getvalue()


@final
@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures of one environment, all of one size."""

    jpegs: tuple[bytes, ...]
    """Each as `compress` made it."""
    captions: tuple[str, ...]
    """Text for each, several lines if need be."""
    fps: float = 25.0
    """Frames per second of the time that passed [1/s]."""

    def __post_init__(self) -> None:
        if not self.jpegs or len(self.captions) != len(self.jpegs):
            got = f"{len(self.jpegs)} and {len(self.captions)} captions"
            raise ConfigError("pictures", got=got, expected="at least one, and a caption for each")
        if self.fps <= 0:
            raise ConfigError("pictures.fps", got=self.fps, expected="a positive number")

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """The pictures, `[H, W, 3]` each; those of another size than the first one are scaled to it.

        Raises:
            ConfigError: One of them cannot be read.
        """
        size = None
        for index, jpeg in enumerate(self.jpegs):
            try:
                with Image.open(io.BytesIO(jpeg)) as image:
                    size = size or image.size
                    picture = image.convert("RGB")
            except OSError as error:
                raise ConfigError(f"pictures[{index}]", got=str(error), expected="a JPEG") from None
            yield np.asarray(picture if picture.size == size else picture.resize(size))

    def save(self, path: Path) -> None:
        """Write as `.npz`."""
        with path.open("wb") as file:
            np.savez(
                file,
                jpegs=np.frombuffer(b"".join(self.jpegs), np.uint8),
                ends=np.cumsum([len(jpeg) for jpeg in self.jpegs]),
                captions=np.array(self.captions, dtype=np.str_),
                fps=np.array(self.fps),
            )

    @staticmethod
    def read(data: NpzFile) -> Pictures:
        """What `save` wrote."""
        ends = [int(end) for end in data["ends"]]
        whole = data["jpegs"].tobytes()
        return Pictures(
            jpegs=tuple(whole[start:end] for start, end in zip([0, *ends], ends, strict=False)),
            captions=tuple(str(text) for text in data["captions"]),
            fps=float(data["fps"]),
        )
