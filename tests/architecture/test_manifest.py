"""What is written twice is the same in both places."""

import ast
import re
import tomllib
from pathlib import Path

import fleetfoot

ROOT = Path(__file__).parents[2]


def read(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def test_manifest_of_the_extension_has_the_version_of_the_package() -> None:
    assert read("config/extension.toml")["package"]["version"] == fleetfoot.__version__


def test_manifest_names_one_module_and_kit_finds_its_extension_there() -> None:
    """Kit makes one of every subclass of `omni.ext.IExt` in the module itself."""
    (module,) = read("config/extension.toml")["python"]["module"]
    tree = ast.parse((ROOT / module["path"] / f"{module['name'].replace('.', '/')}.py").read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    (extension,) = [node for node in classes if "omni.ext.IExt" in map(ast.unparse, node.bases)]
    assert {"on_startup", "on_shutdown"} <= {node.name for node in extension.body if isinstance(node, ast.FunctionDef)}


def test_manifest_has_what_kit_reads() -> None:
    """A version of three numbers, files that are there, and a table for each extension that it needs."""
    manifest = read("config/extension.toml")
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", manifest["package"]["version"])
    assert all((ROOT / manifest["package"][name]).is_file() for name in ("readme", "changelog"))
    assert all(isinstance(needed, dict) for needed in manifest["dependencies"].values())


def test_every_package_says_that_it_is_typed() -> None:
    for package in read("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").is_file()
