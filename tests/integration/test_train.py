import json
import re
import subprocess
import sys

import onnx
import onnxruntime
import pytest
import torch
import yaml

from fleetfoot.runners.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

SMALL = ("--task", "Cartpole", "--num_envs", "16", "--log_root", "logs")


def test_the_run_folder_holds_what_it_should(trained):
    run, _ = trained
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_small", run.name)
    assert {path.name for path in (run / "params").iterdir()} == {"env.yaml", "agent.yaml"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"model_2.pt", "model_3.pt", "best.pt"}
    assert {path.name for path in (run / "exported").iterdir()} == {"policy.onnx", "policy.pt"}
    assert [path.suffix for path in (run / "videos").rglob("*.*")] == [".mp4"]
    assert len(list(run.glob("events*"))) == 1
    assert len(list((run / "git").glob("*.diff"))) == 1
    assert (run / "learning_curves.png").stat().st_size > 10_000
    assert not [path for path in run.rglob("*") if path.name.endswith(".tmp")]


def test_every_iteration_is_in_the_metrics(trained):
    run, _ = trained
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    iterations = [row["iteration"] for row in rows if "iteration" in row]
    assert iterations == [1, 2, 3]


def test_the_params_are_those_that_ran(trained):
    run, _ = trained
    env = yaml.safe_load((run / "params" / "env.yaml").read_text())
    agent = yaml.safe_load((run / "params" / "agent.yaml").read_text())
    assert env["scene"]["num_envs"] == 16
    assert (agent["max_iterations"], agent["save_interval"], agent["run_name"]) == (3, 2, "small")


def test_the_exported_policy_says_what_it_is(trained):
    run, _ = trained
    properties = {entry.key: entry.value for entry in onnx.load(run / "exported" / "policy.onnx").metadata_props}
    contract = json.loads(properties["fleetfoot"])
    assert contract["task"] == "Cartpole"
    assert contract["iteration"] == 3
    assert contract["joint_names"] == ["slider", "hinge"]
    assert [term["name"] for term in contract["observations"]] == ["pole_pos", "pole_vel", "cart_pos", "cart_vel"]
    assert properties["observation_names"] == "pole_pos,pole_vel,cart_pos,cart_vel"


def test_the_exported_policies_act_alike(trained):
    run, _ = trained
    obs = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(str(run / "exported" / "policy.onnx"), providers=["CPUExecutionProvider"])
    actions = torch.from_numpy(session.run(["actions"], {"obs": obs.numpy()})[0])
    state = load_checkpoint(run / "checkpoints" / "model_3.pt").state["algorithm"]["actor"]
    x = obs
    for layer in (0, 2, 4):
        x = x @ state[f"network.layers.{layer}.weight"].T + state[f"network.layers.{layer}.bias"]
        x = torch.nn.functional.elu(x) if layer < 4 else x
    torch.testing.assert_close(actions, x, rtol=1e-4, atol=1e-4)


def test_it_is_said_how_to_go_on(trained):
    run, done = trained
    assert done.returncode == 0
    assert f"scripts/play.py --task Cartpole --checkpoint logs/cartpole/{run.name}" in done.stdout
    assert "[3/3]" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("which", ["latest", "best", "path", "folder"])
def test_a_policy_is_evaluated(script, trained, which):
    run, _ = trained
    cwd = run.parents[2]
    selector = {"path": run / "checkpoints" / "model_2.pt", "folder": run}.get(which, which)
    words = [*SMALL, "--checkpoint", str(selector), "--seconds", "0.5", "--output", f"{which}.json"]
    done = script("evaluate", *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((cwd / f"{which}.json").read_text())
    assert (numbers["num_envs"], numbers["seconds"]) == (16, 0.5)
    assert 0 <= numbers["fallen"] <= 1
    assert "upright" in done.stdout


def test_a_policy_is_exported_again(script, trained, tmp_path):
    run, _ = trained
    words = ["--task", "Cartpole", "--checkpoint", str(run / "checkpoints" / "model_2.pt"), "--output", str(tmp_path)]
    done = script("export", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"policy.onnx", "policy.pt"}
    assert done.stdout.splitlines()[-2:] == [f"{tmp_path}/policy.onnx", f"{tmp_path}/policy.pt"]


def test_a_policy_is_filmed(script, trained):
    run, _ = trained
    words = ["--task", "Cartpole", "--checkpoint", str(run), "--video", "--video_length", "10"]
    done = script("play", *words, cwd=run.parents[2])
    assert done.returncode == 0, done.stderr
    film = run / "videos" / "play" / "model_3.mp4"
    assert done.stdout.splitlines()[-1] == str(film)
    assert film.stat().st_size > 1000


def test_weights_are_lent_to_a_new_run(script, trained, tmp_path):
    run, _ = trained
    words = [*SMALL, "--checkpoint", str(run), "--max_iterations", "1", "--no_final_video"]
    done = script("train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (new,) = (tmp_path / "logs" / "cartpole").iterdir()
    assert load_checkpoint(new / "checkpoints" / "model_1.pt").metadata["iteration"] == 1


def test_the_console_command_is_the_scripts(script, trained, tmp_path):
    code = "import sys; from fleetfoot.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "list-tasks"]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert done.stdout == script("list_tasks", cwd=tmp_path).stdout
