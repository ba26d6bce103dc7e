"""Tasks, configs, presets and agents of the real Isaac Lab; no simulation is started here."""

import subprocess
import sys
from dataclasses import replace

import gymnasium
import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg
from fleetfoot.tasks.simulators import Request, choose_task
from fleetfoot_isaaclab.env_cfg import CFGS, resolve
from fleetfoot_isaaclab.simulator import SIMULATOR, require_version

FLAT = "Isaac-Velocity-Flat-AnymalD"


def find(name, *words):
    task = SIMULATOR.find_task(name, Request(words=words))
    assert task is not None
    return task


def test_auto_takes_isaaclab_where_it_has_the_task():
    simulator, task = choose_task("Anymal-Flat", "auto", Request())
    assert (simulator, task.simulator) == (SIMULATOR, "isaaclab")
    simulator, task = choose_task("Anymal-Flat", "mujoco", Request())
    assert task.simulator == "mujoco"


def test_it_knows_its_own_tasks_and_ours():
    names = SIMULATOR.task_names()
    assert len(names) >= 142 + 2
    assert {"Isaac-Cartpole", FLAT, "Anymal-Flat", "Anymal-Rough"} <= set(names)
    assert SIMULATOR.find_task("No-Such-Task", Request()) is None


def test_registering_imports_neither_torch_nor_isaaclab():
    """Isaac Lab imports the module at its start: it must not cost anything where fleetfoot is not used."""
    code = "import sys, fleetfoot_isaaclab.tasks; print('torch' in sys.modules, 'isaaclab' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("version", ["2.3.2", "4.0.0", "0.54.2", "unknown"])
def test_other_versions_are_refused(version):
    with pytest.raises(ConfigError, match=rf"Isaac Lab: got version {version}; expected 3\.x.*--sim mujoco"):
        require_version(version)
    require_version("3.0.0")
    require_version("3.1.0rc1")


def test_fields_are_set_by_its_own_resolver():
    task = find(FLAT)
    cfg = task.env_cfg()
    assert CFGS.num_envs(cfg) == 4096
    assert CFGS.seed(cfg) is None
    other = CFGS.override(cfg, {"scene.num_envs": "64", "rewards.feet_air_time.weight": "0.25", "seed": "3"})
    resolved = resolve(other)
    assert (resolved.scene.num_envs, resolved.rewards.feet_air_time.weight) == (64, 0.25)
    assert (CFGS.num_envs(other), CFGS.seed(other), CFGS.num_envs(cfg)) == (64, 3, 4096)
    assert CFGS.override(other, {"scene.num_envs": "8"}).overrides[0] == ("scene.num_envs", "8")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("scene.num_env", "4", "env.scene.num_env: got an unknown field.*Did you mean 'num_envs'"),
        ("rewards.feet_air_tim.weight", "1", "env.rewards.feet_air_tim: got an unknown field.*'feet_air_time'"),
        ("scene.num_envs", "many", "env.scene.num_envs: got 'many'; expected an integer"),
        ("scene.num_envs", "0", "env.scene.num_envs: got '0'; expected an integer"),
        ("sim.dt", "fast", "env.sim.dt: got 'fast'; expected a number"),
        ("is_finite_horizon", "7", "env.is_finite_horizon: got '7'; expected true or false"),
        ("sim.device", "cpu", "env.sim.device: got cpu; .*Use --device"),
        ("clip_actions", "-1", "env.clip_actions: got '-1'; expected a positive number"),
    ],
)
def test_what_is_wrong_with_a_field_is_said(path, value, message):
    with pytest.raises(ConfigError, match=message):
        CFGS.override(find(FLAT).env_cfg(), {path: value})


def test_presets_are_selected_and_kept():
    task = find("IsaacContrib-Velocity-Flat-AnymalC", "physics=newton_mjwarp")
    cfg = task.env_cfg()
    assert "Newton" in type(resolve(cfg).sim.physics).__name__
    plain = find("IsaacContrib-Velocity-Flat-AnymalC").env_cfg()
    assert "Newton" not in type(resolve(plain).sim.physics).__name__
    # A checkpoint that was trained with it says so, and what is typed now replaces it.
    written = CFGS.encode(CFGS.override(cfg, {"scene.num_envs": "8"}))
    assert CFGS.decode(plain, written, where="env").selectors == ("physics=newton_mjwarp",)
    typed = replace(plain, selectors=("physics=isaacsim_physx",))
    assert CFGS.decode(typed, written, where="env").selectors == ("physics=isaacsim_physx",)


def test_what_is_written_shows_all_and_makes_the_same_again():
    cfg = CFGS.override(find("Isaac-Cartpole").env_cfg(), {"scene.num_envs": "8", "clip_actions": "2"})
    written = CFGS.encode(cfg)
    assert written["resolved"]["scene"]["num_envs"] == 8
    assert written["resolved"]["observations"]["policy"]["joint_pos_rel"]["func"].endswith(":joint_pos_rel")
    assert CFGS.decode(find("Isaac-Cartpole").env_cfg(), written, where="env") == cfg


def test_play_mode_is_the_tasks_own():
    task = find(FLAT)
    cfg = task.env_cfg()
    assert resolve(cfg).observations.policy.enable_corruption
    assert not resolve(task.play_mode(cfg)).observations.policy.enable_corruption


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--vizz", "newton_gl"), "--vizz: got an unknown flag.*Did you mean '--viz'"),
        (("stray",), "'stray': got a stray word"),
        (("--viz", "no_such_viewer"), "no_such_viewer"),
        (("physics=marbles",), "marbles"),
        (("simulator=newton_mjwarp",), "'simulator=newton_mjwarp': got a stray word"),
    ],
)
def test_words_that_nobody_understands_are_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        find(FLAT, *words).env_cfg()


def test_launcher_arguments_are_understood():
    cfg = find(FLAT, "--viz", "newton_gl", "physics=newton_mjwarp", "--deterministic").env_cfg()
    assert cfg.launch.words == ("--viz", "newton_gl", "--deterministic")
    assert cfg.selectors == ("physics=newton_mjwarp",)


def test_variants_of_an_agent_have_names():
    task = find(FLAT)
    ours = {"ppo", "ppo_symmetry", "ppo_recurrent", "distillation", "distillation_recurrent"}
    assert ours | {"rsl_rl_cfg_entry_point", "rsl_rl_with_symmetry_cfg_entry_point"} <= set(task.agents)
    assert task.default_agent == "ppo"
    agents = {name: task.agents[name]() for name in ours}
    assert isinstance(agents["ppo"], OnPolicyRunnerCfg)
    assert isinstance(agents["distillation_recurrent"], DistillationRunnerCfg)
    assert agents["ppo"].obs_groups.actor == ("policy",)
    assert agents["ppo"].algorithm.symmetry is None
    assert agents["ppo_symmetry"].algorithm.symmetry is not None
    assert agents["ppo_recurrent"].actor.memory is not None
    assert task.agents["rsl_rl_recurrent_cfg_entry_point"]() == agents["ppo_recurrent"]


def test_agents_that_were_written_for_fleetfoot_come_first():
    task = find("Anymal-Rough")
    ppo = task.agents["ppo"]()
    assert ppo.experiment_name == "anymal_rough"
    assert task.agents["rsl_rl_cfg_entry_point"]().experiment_name == "anymal_d_rough"
    assert resolve(task.env_cfg()).scene.terrain.terrain_type == "generator"


def test_a_task_without_an_agent_for_us_is_refused():
    with pytest.raises(ConfigError, match="Isaac-Pendulum-MARL-Direct: got agents for .*skrl_cfg_entry_point"):
        find("Isaac-Pendulum-MARL-Direct")


REFUSED = {
    "Isaac-Lift-KukaAllegro-Camera": "SpatialSoftmaxCNNModel",
    "Isaac-Reorient-KukaAllegro-Camera": "SpatialSoftmaxCNNModel",
    "IsaacContrib-Keyboard-SO101": "SharedEncoderPPO",
    "IsaacContrib-Multitask-Manipulation": "TaskBalancedPPO",
    "IsaacContrib-UR10-Particle-Push": "UR10ParticlePushGaussianDistribution",
}
"""Tasks whose agents have classes of their own, and which."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Task .* is deprecated:FutureWarning")
def test_every_agent_of_every_task_is_ours_or_refused_by_name():
    count = 0
    for name, spec in gymnasium.registry.items():
        if any(key.startswith("rsl_rl_") for key in spec.kwargs or {}):
            for agent in [agent for agent in find(name).agents if not agent.endswith("_cfg_entry_point")]:
                count += 1
                if name in REFUSED:
                    with pytest.raises(ConfigError, match=REFUSED[name]):
                        find(name).agents[agent]()
                else:
                    assert isinstance(find(name).agents[agent](), (OnPolicyRunnerCfg, DistillationRunnerCfg))
    assert count >= 99
