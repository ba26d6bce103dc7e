"""Finding tasks and agents by name, at no cost."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fleetfoot.core.config import apply_overrides, decode, encode
from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg
from fleetfoot.tasks.registry import all_tasks, find_agent, find_task, register, task_names


def test_our_tasks_are_found() -> None:
    assert {"Cartpole", "Anymal-Flat", "Anymal-Rough", "Anymal-Rough-Blind"} <= set(task_names())


def test_listing_imports_neither_torch_nor_mujoco() -> None:
    code = (
        "import sys; from fleetfoot.tasks.registry import all_tasks\n"
        "for t in all_tasks().values(): t.env_cfg(); [a() for a in t.agents.values()]; t.play_mode(t.env_cfg())\n"
        "print([m for m in ('torch', 'mujoco', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_task_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'Cartpole'"):
        find_task("Cratpole")


def test_unknown_agent_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'ppo'"):
        find_agent(find_task("Cartpole"), "pp0")


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="not taken"):
        register(find_task("Cartpole"))


@pytest.mark.parametrize("name", ["Cartpole", "Anymal-Flat", "Anymal-Rough", "Anymal-Rough-Blind"])
def test_configs_survive_json_and_overrides(name: str) -> None:
    task = find_task(name)
    cfg = apply_overrides(task.env_cfg(), {"scene.num_envs": "17", "sim.dt": "0.01"}, where="env")
    assert decode(type(cfg), json.loads(json.dumps(encode(cfg))), where="env") == cfg
    assert (cfg.scene.num_envs, cfg.sim.dt) == (17, 0.01)


def test_no_environments_are_refused() -> None:
    for task in all_tasks().values():
        with pytest.raises(ConfigError, match=r"env\.scene\.num_envs"):
            apply_overrides(task.env_cfg(), {"scene.num_envs": "0"}, where="env")


def test_agents_are_whole_configs() -> None:
    for task in all_tasks().values():
        for make in task.agents.values():
            assert isinstance(make(), OnPolicyRunnerCfg | DistillationRunnerCfg)
