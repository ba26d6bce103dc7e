"""One module knows that there may be other processes."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
THE_ONE = ROOT / "source/fleetfoot/core/distributed.py"
FILES = sorted(
    [*(ROOT / "source").rglob("*.py"), *(ROOT / "extension").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
)
VARIABLES = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def what_it_knows(path: Path) -> set[str]:
    """What a module says of `torch.distributed`, and which of torchrun's variables it names."""
    known = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                known |= {alias.name for alias in names if alias.name.startswith("torch.distributed")}
            case ast.ImportFrom(module=str(module), names=names):
                imported = {module, *(f"{module}.{alias.name}" for alias in names)}
                known |= {name for name in imported if name.startswith("torch.distributed")}
            case ast.Attribute(value=ast.Name(id="torch"), attr="distributed"):
                known.add("torch.distributed")
            case ast.Constant(value=str(text)) if text in VARIABLES:
                known.add(text)
    return known


def test_only_one_module_knows_ranks() -> None:
    assert {path: known for path in FILES if path != THE_ONE and (known := what_it_knows(path))} == {}


def test_this_sees_what_the_one_knows(tmp_path: Path) -> None:
    assert what_it_knows(THE_ONE) >= {"torch.distributed", "RANK", "WORLD_SIZE", "LOCAL_RANK"}
    (tmp_path / "a.py").write_text("from torch import distributed\nimport torch\ntorch.distributed.barrier()\n")
    assert what_it_knows(tmp_path / "a.py") == {"torch.distributed"}
