"""config/extension.toml beside the one that Isaac Lab's own template writes."""

import importlib.util
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_has_all_that_the_template_s_has() -> None:
    spec = importlib.util.find_spec("isaaclab")
    assert spec is not None
    assert spec.origin is not None
    template = Path(spec.origin).parent / "tools/template/templates/extension/config/extension.toml"
    theirs = tomllib.loads(template.read_text(encoding="utf-8"))
    ours = tomllib.loads((ROOT / "config/extension.toml").read_text(encoding="utf-8"))
    assert set(theirs) <= set(ours)
    # The template names Isaac Lab's own repository; and we imitate nothing that isaaclab_mimic has.
    assert set(theirs["package"]) - set(ours["package"]) == {"repository"}
    assert set(theirs["dependencies"]) - set(ours["dependencies"]) == {"isaaclab_mimic"}
    assert [set(module) - {"path"} for module in ours["python"]["module"]] == [set(theirs["python"]["module"][0])]
