"""Writes every rsl_rl runner config that Isaac Lab ships as data: tests/data/isaaclab_rsl_rl_configs.json.

    python tests/data/extract_isaaclab_configs.py        (in an environment with Isaac Lab and its tasks)

Each config is what Isaac Lab's `to_dict` makes of the object: functions are "module:name", and a field that nobody has
set is `{}`. A config with presets, that is with named alternatives, is written once for each of them.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import isaaclab_tasks  # noqa: F401 (fills gymnasium's registry)
from isaaclab.utils import to_dict
from isaaclab_tasks.utils.hydra import collect_presets, resolve_presets
from isaaclab_tasks.utils.parse_cfg import load_cfg_from_registry

OUTPUT = Path(__file__).with_name("isaaclab_rsl_rl_configs.json")


def main() -> None:
    users: dict[str, list[dict[str, str]]] = {}
    for use, cfg in every_use():
        text = json.dumps(plain(to_dict(cfg)), sort_keys=True, allow_nan=False)
        users.setdefault(text, []).append(use)
    packages = ("isaaclab", "rsl-rl-lib")
    content = {
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "configs": [{"used_by": used_by, "config": json.loads(text)} for text, used_by in sorted(users.items())],
    }
    OUTPUT.write_text(one_config_a_line(content), encoding="utf-8")
    uses = [use for used_by in users.values() for use in used_by]
    tasks, without_presets = {use["task"] for use in uses}, [u for u in uses if "preset" not in u]
    print(f"{len(tasks)} tasks, {len(without_presets)} entry points, {len(uses)} with their presets")
    distinct = sum(any("preset" not in use for use in used_by) for used_by in users.values())
    print(f"{distinct} distinct configs, {len(users)} with their presets")


def every_use() -> Iterator[tuple[dict[str, str], Any]]:
    """Each task, entry point and preset, with the config that it gives."""
    for task, spec in sorted(gymnasium.registry.items()):
        for entry_point in sorted(spec.kwargs or {}):
            if not (entry_point.startswith("rsl_rl") and entry_point.endswith("cfg_entry_point")):
                continue
            use = {"task": task, "entry_point": entry_point}
            yield use, resolve_presets(load_cfg_from_registry(task, entry_point))
            presets = collect_presets(load_cfg_from_registry(task, entry_point)).values()
            for name in sorted({name for alternatives in presets for name in alternatives} - {"default"}):
                yield use | {"preset": name}, resolve_presets(load_cfg_from_registry(task, entry_point), {name})


def plain(value: Any) -> Any:
    """The same as JSON has it."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} cannot be written as JSON")


def one_config_a_line(content: dict[str, Any]) -> str:
    """Compact, and yet a difference shows which config it is in."""
    lines = ",\n".join(json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in content["configs"])
    return f'{{"versions":{json.dumps(content["versions"], sort_keys=True)},"configs":[\n{lines}\n]}}\n'


if __name__ == "__main__":
    main()
