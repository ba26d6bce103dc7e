"""Importing does nothing, and what must start at once imports nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "source"
HEAVY = ("torch", "mujoco", "numpy", "tensorboard", "wandb", "onnxruntime", "matplotlib", "rich")
SIMULATORS = ("mujoco", "mujoco_warp", "warp", "isaaclab", "isaaclab_rl", "isaaclab_tasks", "gymnasium", "omni")
IMPORT_ALL = "import importlib, sys; [importlib.import_module(module) for module in sys.argv[1:]]"


def modules(pattern: str) -> list[str]:
    found = sorted(SOURCE.glob(pattern))
    return [".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in found]


def run_fresh(code: str, *args: str) -> str:
    """Runs code in a new interpreter that sees this checkout, and returns what it printed."""
    path = os.pathsep.join([str(SOURCE), str(ROOT / "extension")])
    ran = subprocess.run(
        [sys.executable, "-c", code, *args], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_configs_and_errors_import_nothing_heavy() -> None:
    light = ["fleetfoot", "fleetfoot.errors", "fleetfoot.core.config", *modules("fleetfoot/**/config.py")]
    loaded = set(json.loads(run_fresh(f"{IMPORT_ALL}; import json; print(json.dumps(list(sys.modules)))", *light)))
    assert loaded.isdisjoint(HEAVY), f"{sorted(loaded & set(HEAVY))} came with {light}"


WATCHED = """
import os, random, sys, warnings, importlib, signal, threading, logging, locale
import numpy, torch
def state():
    return {
        "environment": dict(os.environ),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "torch threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
        "cudnn benchmark": torch.backends.cudnn.benchmark,
        "matmul precision": torch.get_float32_matmul_precision(),
        "torch random state": torch.get_rng_state().tolist(),
        "numpy random state": [str(x) for x in numpy.random.get_state()],
        "random state": random.getstate(),
        "cuda": torch.cuda.is_initialized(),
        "working folder": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "threads": threading.active_count(),
        "log handlers": list(logging.getLogger().handlers),
        "warning filters": list(warnings.filters),
        "signals": {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)},
    }
# Third parties do as they like: rich draws random numbers, mujoco looks for a display. Only what is ours is watched.
import gymnasium, matplotlib, mujoco, onnx, onnxruntime, pydantic, rich.console, tensorboard, yaml
before = state()
for module in sys.argv[1:]:
    importlib.import_module(module)
after = state()
print("\\n".join(f"{key}: {before[key]} became {after[key]}" for key in before if before[key] != after[key]))
"""


@pytest.mark.slow
def test_importing_changes_nothing() -> None:
    """Every module, in one interpreter: environment, flags of torch, random states and signals stay as they were."""
    everything = [m for m in modules("fleetfoot/**/*.py") if not m.endswith("__main__")]
    assert run_fresh(WATCHED, *everything).strip() == ""


@pytest.mark.slow
def test_learning_imports_where_there_is_no_simulator() -> None:
    parts = ("core", "models", "storage", "algorithms", "runners", "export")
    learning = [m for part in parts for m in modules(f"fleetfoot/{part}/**/*.py")]
    run_fresh(f"import sys; sys.modules.update(dict.fromkeys({SIMULATORS!r})); {IMPORT_ALL}", *learning)


def test_registering_with_isaaclab_needs_no_isaaclab() -> None:
    """Isaac Lab imports this at its start; it must not fail, nor cost anything, where fleetfoot is not used."""
    out = run_fresh("import sys, fleetfoot_isaaclab.tasks; print('torch' in sys.modules, 'isaaclab' in sys.modules)")
    assert out.split() == ["False", "False"]
