import copy

import pytest
import torch
import yaml

from fleetfoot.cli.main import main
from fleetfoot.compat.adoption import learned_in
from fleetfoot.compat.checkpoint_file import read_checkpoint_file
from fleetfoot.compat.rsl_rl import DistillationRunner, OnPolicyRunner
from fleetfoot.compat.weights import load_rsl_rl_checkpoint
from fleetfoot.core.config import decode
from fleetfoot.core.device import exact_device
from fleetfoot.models.config import LstmCfg
from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.config import DistillationRunnerCfg, OnPolicyRunnerCfg
from fleetfoot.runners.policy import build_policy
from fleetfoot.tasks.registry import all_tasks

MODEL = {"class_name": "MLPModel", "hidden_dims": [32, 32], "activation": "elu"}
TRAIN_CFG = {
    "num_steps_per_env": 4,
    "save_interval": 50,
    "max_iterations": 20,
    "experiment_name": "theirs",
    "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
    "algorithm": {"class_name": "PPO", "learning_rate": 2e-3, "num_mini_batches": 2, "schedule": "fixed"},
    "actor": MODEL | {"distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.5}},
    "critic": MODEL,
}


class CartpoleOfTheirs:
    """Sees and moves as much as Cartpole does."""

    num_envs, num_actions, max_episode_length, device = 4, 1, 5, "cpu"

    def __init__(self):
        self.episode_length_buf = torch.zeros(4, dtype=torch.int64)
        self.generator = torch.Generator().manual_seed(1)

    def get_observations(self):
        return {"policy": torch.randn(4, 4, generator=self.generator)}

    def step(self, actions):
        return self.get_observations(), -actions.square().sum(-1), torch.zeros(4), {}


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A run of three iterations, in the folder that is the current one; its file is theirs/model.pt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs").mkdir()
    return train(TRAIN_CFG)


def train(cfg):
    runner = OnPolicyRunner(CartpoleOfTheirs(), copy.deepcopy(cfg))
    runner.learn(3)
    runner.save("theirs/model.pt")
    return runner


def played(path, obs):
    """What the policy of a checkpoint of ours does, as `play` builds it; and the config."""
    checkpoint = load_checkpoint(path)
    cfg = decode(OnPolicyRunnerCfg, checkpoint.metadata["agent"], where="agent")
    task = all_tasks()[checkpoint.metadata["task"]]
    env = task.make_env(task.env_cfg(), device=exact_device("cpu"), seed=1)
    try:
        return build_policy(checkpoint, cfg, env, str(path))(obs), cfg, checkpoint
    finally:
        env.close()


def only_checkpoint(folder):
    (path,) = folder.glob("logs/fleetfoot/cartpole/*/checkpoints/*.pt")
    return path


def test_a_run_of_theirs_becomes_one_of_the_task(theirs, tmp_path, capsys):
    assert main(["migrate", "theirs/model.pt", "--task", "Cartpole"]) == 0
    path = only_checkpoint(tmp_path)
    assert path.name == "model_3.pt"
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(path.relative_to(tmp_path))
    assert any("taken for the agent ppo of Cartpole" in line for line in said)
    obs = {"policy": torch.randn(5, 4)}
    actions, cfg, checkpoint = played(path, obs)
    torch.testing.assert_close(actions, theirs.get_inference_policy()(obs))
    assert cfg == all_tasks()["Cartpole"].agents["ppo"]()
    assert checkpoint.state["iteration"] == checkpoint.metadata["iteration"] == 3
    assert checkpoint.state["env_steps"] == 3 * 16 * checkpoint.metadata["env"]["scene"]["num_envs"]
    assert len(checkpoint.state["algorithm"]["optimizer"]["state"]) == 13
    assert {file.name for file in (path.parents[1] / "params").iterdir()} == {"agent.yaml", "env.yaml"}


@pytest.mark.parametrize("flag", [True, False], ids=["named", "beside"])
def test_the_config_that_it_was_trained_with_comes_along(theirs, tmp_path, flag):
    rnn = {"class_name": "RNNModel", "rnn_type": "lstm", "rnn_hidden_dim": 6}
    distribution = {"class_name": "GaussianDistribution", "init_std": 0.5, "std_range": (0.1, 2.0)}
    trained = train(TRAIN_CFG | {"actor": MODEL | rnn | {"distribution_cfg": distribution}})
    (tmp_path / "theirs" / "params").mkdir()
    file = "theirs/my.yaml" if flag else "theirs/params/agent.yaml"
    text = yaml.dump(trained.cfg | {"policy": {}, "device": "cuda:0"})
    assert "!!python/tuple" in text  # as Isaac Lab writes them
    (tmp_path / file).write_text(text)
    words = ["--train_cfg", file] if flag else []
    typed = ["--output", "ours.pt", "--seed", "9", "agent.algorithm.gamma=0.9"]
    assert main(["migrate", "--task", "Cartpole", "theirs/model.pt", *words, *typed]) == 0
    obs = {"policy": torch.randn(5, 4)}
    actions, cfg, _ = played(tmp_path / "ours.pt", obs)
    torch.testing.assert_close(actions, trained.get_inference_policy()(obs))
    assert cfg.actor.memory == LstmCfg(hidden_dim=6)
    assert (cfg.seed, cfg.algorithm.gamma, cfg.algorithm.learning_rate) == (9, 0.9, 2e-3)
    assert (cfg.experiment_name, cfg.max_iterations) == ("cartpole", 20)
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_the_run_goes_on(theirs, tmp_path):
    assert main(["migrate", "theirs/model.pt", "--task", "Cartpole"]) == 0
    few = ["--num_envs", "16", "--max_iterations", "4", "--no_final_video"]
    assert main(["train", "--task", "Cartpole", "--resume", *few]) == 0
    (run,) = (tmp_path / "logs" / "fleetfoot" / "cartpole").iterdir()
    assert load_checkpoint(run / "checkpoints" / "model_4.pt").state["algorithm"]["num_updates"] == 4
    assert (run / "exported" / "policy.onnx").is_file()


STUDENT_CFG = {key: TRAIN_CFG[key] for key in ("num_steps_per_env", "save_interval", "max_iterations")} | {
    "obs_groups": {"student": ["policy"], "teacher": ["policy"]},
    "algorithm": {"class_name": "Distillation", "gradient_length": 2, "num_learning_epochs": 1},
    "student": TRAIN_CFG["actor"],
    "teacher": TRAIN_CFG["actor"],
}


@pytest.fixture
def student(theirs, tmp_path):
    """A student of that run, after two iterations: students/model.pt, with its config beside it."""
    (tmp_path / "students" / "params").mkdir(parents=True)
    (tmp_path / "students" / "params" / "agent.yaml").write_text(yaml.dump(STUDENT_CFG))
    runner = DistillationRunner(CartpoleOfTheirs(), copy.deepcopy(STUDENT_CFG))
    runner.load("theirs/model.pt")
    runner.learn(2)
    runner.save("students/model.pt")
    return runner


def test_a_student_of_theirs_becomes_one_of_the_task_and_has_its_teacher(student, tmp_path):
    words = ["--agent", "distillation", "--output", "ours.pt"]
    assert main(["migrate", "students/model.pt", "--task", "Cartpole", *words]) == 0
    checkpoint = load_checkpoint(tmp_path / "ours.pt")
    cfg = decode(DistillationRunnerCfg, checkpoint.metadata["agent"], where="agent")
    assert (cfg.obs_groups.student, cfg.algorithm.gradient_length) == (("policy",), 2)
    there, here = (load_learned(path) for path in ("students/model.pt", checkpoint))
    assert here.iteration == 2
    assert here.networks.keys() == there.networks.keys() == {"student", "teacher"}
    for name, tensors in there.networks.items():
        assert all(torch.equal(x, here.networks[name][key]) for key, x in tensors.items())
    assert here.moments.keys() == there.moments.keys()


@pytest.mark.slow
def test_a_student_of_theirs_goes_on_learning(student, tmp_path):
    task = ["--task", "Cartpole"]
    assert main(["migrate", "students/model.pt", *task, "--agent", "distillation"]) == 0
    few = ["--num_envs", "16", "--max_iterations", "4", "--no_final_video"]
    assert main(["train", *task, "--agent", "distillation", "--resume", *few]) == 0
    (run,) = (tmp_path / "logs" / "fleetfoot" / "cartpole_student").iterdir()
    assert load_checkpoint(run / "checkpoints" / "model_4.pt").state["algorithm"]["num_updates"] == 4


def load_learned(source):
    return load_rsl_rl_checkpoint(source) if isinstance(source, str) else learned_in(source, "ours.pt")[0]


def test_a_run_of_ours_becomes_one_of_theirs(theirs, tmp_path, capsys):
    assert main(["migrate", "theirs/model.pt", "--task", "Cartpole", "--output", "ours.pt"]) == 0
    capsys.readouterr()
    assert main(["migrate", "ours.pt", "--to", "rsl_rl"]) == 0
    assert capsys.readouterr().out == "ours_rsl_rl.pt\n"
    one, other = (read_checkpoint_file(tmp_path / name) for name in ("theirs/model.pt", "ours_rsl_rl.pt"))
    assert (one.iteration, one.moments.keys()) == (other.iteration, other.moments.keys())
    for name in ("actor", "critic"):
        assert one.networks[name].keys() == other.networks[name].keys()
        assert all(torch.equal(x, other.networks[name][key]) for key, x in one.networks[name].items())


def test_a_run_of_an_older_rsl_rl_becomes_one_of_the_newest(theirs, tmp_path):
    new = torch.load(tmp_path / "theirs" / "model.pt", weights_only=True)
    actor = {f"actor.{key[4:]}": x for key, x in new["actor_state_dict"].items() if key.startswith("mlp.")}
    critic = {f"critic.{key[4:]}": x for key, x in new["critic_state_dict"].items()}
    old = {"model_state_dict": {"std": new["actor_state_dict"]["distribution.std_param"], **actor, **critic}}
    old |= {key: new[key] for key in ("optimizer_state_dict", "iter", "infos")}
    torch.save(old, tmp_path / "old.pt")
    assert main(["migrate", "old.pt", "--to", "rsl_rl", "--output", "new.pt"]) == 0
    again = torch.load(tmp_path / "new.pt", weights_only=True)
    for name in ("actor_state_dict", "critic_state_dict"):
        assert list(again[name]) == list(new[name])
        assert all(torch.equal(x, new[name][key]) for key, x in again[name].items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "FILE: got nothing; expected a checkpoint. fleetfoot migrate FILE --task NAME"),
        (["theirs/model.pt"], "--task: got nothing; expected one of "),
        (["none.pt", "--task", "Cartpole"], "none.pt: got no file; expected a checkpoint of rsl_rl."),
        (["none.pt", "--to", "rsl_rl"], "none.pt: got no file; expected a checkpoint."),
        (["theirs/text.pt", "--to", "rsl_rl"], "theirs/text.pt: got a file that cannot be read"),
        (["theirs/model.pt", "--task", "Cartpole", "--train_cfg", "no.yaml"], "no.yaml: got No such file"),
        (
            ["theirs/model.pt", "--task", "Cartpole", "--agent", "distillation"],
            "theirs/model.pt: got no student, but actor, critic; expected a run with the network student.",
        ),
        (["theirs/model.pt", "--to", "skrl"], "migrate.py: got argument --to: invalid choice: 'skrl'"),
        (
            ["theirs/model.pt", "--task", "Anymal-Flat"],
            "theirs/model.pt: got a network without actor.inputs.normalizer.mean; expected one with",
        ),
    ],
)
def test_what_cannot_be_migrated_is_named_and_nothing_is_written(theirs, tmp_path, capsys, words, message):
    (tmp_path / "theirs" / "text.pt").write_text("no checkpoint")
    assert main(["migrate", *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}
