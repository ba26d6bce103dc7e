"""What is written twice is the same in both places."""

import tomllib
from pathlib import Path

import fleetfoot

ROOT = Path(__file__).parents[2]


def read(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def test_manifest_of_the_extension_has_the_version_of_the_package() -> None:
    assert read("config/extension.toml")["package"]["version"] == fleetfoot.__version__


def test_manifest_names_modules_that_exist() -> None:
    for module in read("config/extension.toml")["python"]["module"]:
        assert (ROOT / module["path"] / module["name"] / "__init__.py").is_file()


def test_every_package_says_that_it_is_typed() -> None:
    for package in read("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").is_file()
