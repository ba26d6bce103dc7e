"""`export.py`: a checkpoint as ONNX and TorchScript."""

from __future__ import annotations

from pathlib import Path

from fleetfoot.cli.arguments import Arguments
from fleetfoot.cli.plan import make_plan
from fleetfoot.cli.policy import open_policy
from fleetfoot.cli.run_folder import run_folder_of
from fleetfoot.runners.logging.console import Console

__all__ = ["export"]


def export(arguments: Arguments) -> int:
    """Write `policy.onnx` and `policy.pt`, each compared with the torch policy."""
    plan = make_plan(arguments)
    console = Console()
    with open_policy(plan, console) as (_, policy, checkpoint):
        from fleetfoot.export.onnx import export_onnx
        from fleetfoot.export.torchscript import export_torchscript

        assert plan.checkpoint is not None
        folder = Path(arguments.flags.output or run_folder_of(plan.checkpoint) / "exported")
        onnx = export_onnx(policy.actor, folder / "policy.onnx", checkpoint.metadata)
        script = export_torchscript(policy.actor, folder / "policy.pt", checkpoint.metadata)
        print(f"{onnx}\n{script}")
    return 0
