"""A function fits on a screen, a module can be read in one sitting, and the hot path reads nothing back to the host."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "source").rglob("*.py"), *(ROOT / "extension").rglob("*.py")])
MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 400
MAX_SCRIPT_LINES = 15
MAX_NESTING = 4

HOT = ("algorithms", "models", "storage")
# Calls by which the host waits for the device, or writes to the terminal.
BLOCKING = frozenset({"print", "item", "cpu", "tolist", "nonzero", "numpy", "synchronize"})
# "module.function" that may read back, with the reason.
READS_BACK: dict[str, str] = {
    "distillation.Distillation.load_state_dict": "once, when a run is resumed",
    "ppo.Ppo.load_state_dict": "once, when a run is resumed",
    "symmetry.Symmetry.load_state_dict": "once, when a run is resumed",
}

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, type_of_function):
            yield f"{prefix}{node.name}", node
        if isinstance(node, (*type_of_function, ast.ClassDef)):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def nesting(node: ast.AST, depth: int = 0) -> int:
    """How deep blocks lie in blocks. `elif` is no deeper than its `if`."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            is_block = isinstance(child, (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match))
            is_elif = isinstance(node, ast.If) and name == "orelse" and node.orelse == [child]
            deepest = max(deepest, nesting(child, depth + (is_block and not is_elif)))
    return deepest


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}: {length} lines"
        for path in FILES
        for name, node in functions(parse(path))
        if (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_blocks_are_shallow() -> None:
    deep = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}: {depth} levels"
        for path in FILES
        for name, node in functions(parse(path))
        if (depth := nesting(node)) > MAX_NESTING
    ]
    assert not deep, "\n".join(deep)


@pytest.mark.parametrize(
    ("files", "limit"),
    [(FILES, MAX_MODULE_LINES), (sorted((ROOT / "scripts").glob("*.py")), MAX_SCRIPT_LINES)],
    ids=["modules", "scripts"],
)
def test_files_are_short(files: list[Path], limit: int) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: length for name, length in lengths.items() if length > limit}


def test_hot_path_reads_nothing_back() -> None:
    """Learning's inner parts: nothing in the step or the mini-batch loop may wait for the device."""
    found = []
    for path in FILES:
        if len(path.relative_to(ROOT).parts) < 4 or path.relative_to(ROOT).parts[2] not in HOT:
            continue
        for name, node in functions(parse(path)):
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
            called = {c.func.attr if isinstance(c.func, ast.Attribute) else getattr(c.func, "id", "") for c in calls}
            if called & BLOCKING and f"{path.stem}.{name}" not in READS_BACK:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}: {sorted(called & BLOCKING)}")
    assert not found, "\n".join(found)
