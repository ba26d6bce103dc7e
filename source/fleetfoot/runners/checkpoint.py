"""Checkpoints: one file that says what it is, written so that a crash leaves the old file or the new one.

    {"format": "fleetfoot.checkpoint", "schema_version": 5,
     "metadata": JSON text: task, env and agent config, iteration, environment steps, versions, policy contract,
     "state": tensors and plain values: algorithm, counts; for each rank, its random numbers, environment and episodes}

Only tensors and plain values are ever unpickled (`weights_only=True`): a checkpoint cannot run code.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fleetfoot.core.files import atomic_write
from fleetfoot.errors import CheckpointError

__all__ = [
    "Checkpoint",
    "describe_versions",
    "find_checkpoint",
    "load_checkpoint",
    "save_checkpoint",
    "set_aside_later",
]

FORMAT = "fleetfoot.checkpoint"
SCHEMA_VERSION = 5


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds."""

    metadata: dict[str, Any]
    """Plain JSON data: what the run was."""
    state: dict[str, Any]
    """Tensors and plain values: what decides the next number."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: to a temporary name, flushed to the disk, then renamed.

    Raises:
        OutputError: The folder cannot be written, or the disk is full; an older file of this name is still whole.
    """
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "metadata": json.dumps(checkpoint.metadata),
        "state": checkpoint.state,
    }
    atomic_write(path, lambda temporary: torch.save(content, temporary))


def load_checkpoint(path: Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: The file is missing, truncated, not one of ours, or of another schema version.
    """
    if not path.is_file():
        raise CheckpointError(str(path), got="no file", expected="a checkpoint", fix="Check the path.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about foreign files: they are refused anyway
            content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a file that is not one of ours can make unpickling raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        got = f"a file that cannot be read ({reason[:100]})"
        fix = "It is truncated or not a checkpoint: use an older one, model_<iteration>.pt."
        raise CheckpointError(str(path), got=got, expected="a whole fleetfoot checkpoint", fix=fix) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        keys = f"a file with {sorted(map(str, content))[:6]}" if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(str(path), got=keys, expected="a fleetfoot checkpoint")
    if content["schema_version"] != SCHEMA_VERSION:
        got = f"schema version {content['schema_version']}"
        fix = "Use the fleetfoot that wrote it."
        raise CheckpointError(str(path), got=got, expected=f"schema version {SCHEMA_VERSION}", fix=fix)
    return Checkpoint(metadata=json.loads(content["metadata"]), state=content["state"])


def find_checkpoint(selector: str, experiment_dir: Path, flag: str = "--checkpoint") -> Path:
    """The file that `--checkpoint` means, or another flag of its kind.

    Args:
        selector: `latest` or `best` of the newest run that has one, or a path to a file or a run folder.
        experiment_dir: The folder whose runs are searched.
        flag: What it was typed after.

    Raises:
        CheckpointError: There is none.
    """
    if selector not in ("latest", "best"):
        path = Path(selector).expanduser()
        return _pick(path, "latest") or path if path.is_dir() else path
    runs = sorted((d for d in experiment_dir.glob("*") if d.is_dir()), reverse=True)
    for run in runs:
        if found := _pick(run, selector):
            return found
    raise CheckpointError(
        f"{flag} {selector}",
        got=f"no checkpoint in {experiment_dir}",
        expected="at least one run with a checkpoint",
        fix="Train first, or give a path.",
    )


def set_aside_later(folder: Path, iteration: int) -> None:
    """Rename the checkpoints of a run that are later than the one it goes on from, to `<name>.void`.

    They belong to a branch of the training that is now given up: neither `latest` nor `best` may mean them.
    """
    for path in folder.glob("model_*.pt"):
        match = re.fullmatch(r"model_(\d+)\.pt", path.name)
        if match and int(match[1]) > iteration:
            path.replace(path.with_name(f"{path.name}.void"))
    best = folder / "best.pt"
    if best.is_file() and load_checkpoint(best).metadata["iteration"] > iteration:
        best.replace(best.with_name("best.pt.void"))


def _pick(run: Path, selector: str) -> Path | None:
    """The newest, or the best, checkpoint of a run folder or of its `checkpoints` folder."""
    folder = run / "checkpoints" if (run / "checkpoints").is_dir() else run
    if selector == "best":
        return best if (best := folder / "best.pt").is_file() else None
    numbered = [(int(m[1]), p) for p in folder.glob("model_*.pt") if (m := re.fullmatch(r"model_(\d+)\.pt", p.name))]
    return max(numbered)[1] if numbered else None


def describe_versions() -> Mapping[str, str]:
    """Versions of what computed the numbers."""
    from fleetfoot import __version__

    return {"fleetfoot": __version__, "torch": torch.__version__}
