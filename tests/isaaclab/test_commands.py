"""Our scripts with tasks of the real Isaac Lab, from training to an exported policy."""

import json
from pathlib import Path

import pytest
import yaml

CARTPOLE = ("--task", "Isaac-Cartpole-Direct", "--device", "cpu")


def scalars(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def run_folder(logs: Path, experiment: str) -> Path:
    (folder,) = (logs / experiment).iterdir()
    return folder


@pytest.mark.slow
def test_from_training_to_an_exported_policy(script, tmp_path):
    logs = ("--log_root", str(tmp_path))
    said = script(
        "train", *CARTPOLE, *logs, "--num_envs", "16", "--max_iterations", "2", "--headless", "--no_final_video",
        "physics=newton_mjwarp", "env.episode_length_s=4", "agent.save_interval=1", "--run_name", "short",
    )  # fmt: skip
    assert "16 environments of Isaac-Cartpole-Direct in isaaclab" in said
    folder = run_folder(tmp_path, "cartpole_direct")
    assert folder.name.endswith("_short")
    assert (folder / "exported" / "policy.onnx").is_file()
    env = yaml.safe_load((folder / "params" / "env.yaml").read_text())
    assert env["selectors"] == ["physics=newton_mjwarp"]
    assert env["overrides"] == {"episode_length_s": "4", "scene.num_envs": "16"}
    assert env["resolved"]["episode_length_s"] == 4
    # It goes on where it was, with all that was typed then.
    said = script("train", *CARTPOLE, *logs, "--resume", "--max_iterations", "3", "--no_final_video")
    assert "make 16 environments" in said
    assert (folder / "checkpoints" / "model_3.pt").is_file()
    # The policy is watched without another word, and exported.
    script("play", *CARTPOLE, *logs, "--checkpoint", "latest", "--video", "--video_length", "12")
    assert (folder / "videos" / "play" / "model_3.mp4").stat().st_size > 1000
    script("export", *CARTPOLE, *logs, "--checkpoint", str(folder), "--output", str(tmp_path / "robot"))
    assert {path.name for path in (tmp_path / "robot").iterdir()} >= {"policy.onnx", "policy.pt"}


@pytest.mark.slow
def test_an_ant_trains_and_is_filmed(script, tmp_path):
    script(
        "train", "--task", "Isaac-Ant-Direct", "--device", "cpu", "--log_root", str(tmp_path), "--num_envs", "16",
        "--max_iterations", "2", "--video", "--video_length", "8", "--video_interval", "40",
    )  # fmt: skip
    folder = run_folder(tmp_path, "ant_direct")
    assert len(list((folder / "videos" / "train").glob("*.mp4"))) >= 1
    assert (folder / "videos" / "policy-2.mp4").is_file()
