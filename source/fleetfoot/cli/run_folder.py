"""The folder of a run: `logs/fleetfoot/<experiment>/<date-time>_<run_name>/`."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from fleetfoot.cli.plan import Plan
from fleetfoot.core.config import encode
from fleetfoot.errors import OutputError

__all__ = ["new_run_folder", "run_folder_of", "write_params"]


def new_run_folder(plan: Plan) -> Path:
    """Make a folder that no other run has.

    Raises:
        OutputError: It cannot be made.
    """
    name = time.strftime("%Y-%m-%d_%H-%M-%S")
    if plan.agent_cfg.run_name:
        name = f"{name}_{plan.agent_cfg.run_name}"
    for suffix in ("", *(f"_{i}" for i in range(1, 100))):  # two runs may begin within a second
        folder = plan.experiment_dir / f"{name}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.is_dir():
                continue
            raise _cannot_write(folder, "a file is in the way") from None
        except OSError as error:
            raise _cannot_write(folder, error.strerror or str(error)) from error
        return folder
    raise _cannot_write(plan.experiment_dir / name, "a hundred runs of this second")


def run_folder_of(checkpoint: Path) -> Path:
    """The run folder that a checkpoint lies in."""
    folder = checkpoint.resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def write_params(folder: Path, plan: Plan) -> None:
    """Write both configs as `params/env.yaml` and `params/agent.yaml`.

    Raises:
        OutputError: They cannot be written.
    """
    try:
        (folder / "params").mkdir(exist_ok=True)
        for name, data in (("env", plan.task.cfgs.encode(plan.env_cfg)), ("agent", encode(plan.agent_cfg))):
            text = yaml.safe_dump(data, sort_keys=False)
            (folder / "params" / f"{name}.yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder / "params", error.strerror or str(error)) from error


def _cannot_write(folder: Path, reason: str) -> OutputError:
    fix = "Choose another place with --log_root, or make room."
    return OutputError(str(folder), got=reason, expected="a folder that can be written", fix=fix)
