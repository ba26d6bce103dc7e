"""Several ranks as a user starts them: by torchrun, on the CPU."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleetfoot.runners.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
RUN = ("--log_root", "logs", "--no_final_video", "agent.save_interval=1", "--distributed")
SMALL = ("--task", "Cartpole", "--num_envs", "16", *RUN)


def torchrun(cwd: Path, *words: str, program: Path = ROOT / "scripts" / "train.py") -> subprocess.CompletedProcess:
    command = [*TORCHRUN, str(program), *words]
    env = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a run of three iterations on two ranks, and what they said."""
    cwd = tmp_path_factory.mktemp("together")
    done = torchrun(cwd, *SMALL, "--max_iterations", "3")
    assert done.returncode == 0, done.stderr
    (run,) = (cwd / "logs" / "cartpole").iterdir()
    return run, done


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_ranks_make_one_run(trained):
    run, _ = trained
    assert [row["env_steps"] for row in rows(run)] == [512, 1024, 1536]  # 2 ranks of 16 environments, 16 steps
    assert {path.name for path in (run / "exported").iterdir()} == {"policy.onnx", "policy.pt"}
    assert len(list(run.glob("events*"))) == 1
    checkpoint = load_checkpoint(run / "checkpoints" / "model_3.pt")
    assert [len(own["obs"]["policy"]) for own in checkpoint.state["ranks"]] == [16, 16]
    assert checkpoint.metadata["env_steps"] == 1536


def test_only_one_of_them_speaks(trained):
    _, done = trained
    for text in ("make 2 x 16 environments of Cartpole", "with 32 envs on cpu", "[3/3]", "Cartpole: trained"):
        assert done.stdout.count(text) == 1, done.stdout
    assert "Traceback" not in done.stderr


def test_both_go_on_where_they_stopped(trained):
    run, _ = trained
    words = ("--task", "Cartpole", "--resume", "--checkpoint", str(run), "--max_iterations", "4", *RUN)
    done = torchrun(run.parents[2], *words)
    assert done.returncode == 0, done.stderr
    assert "afresh" not in done.stdout
    assert [row["iteration"] for row in rows(run)] == [1, 2, 3, 4]


def test_one_alone_goes_on_with_new_episodes_and_says_so(script, trained, tmp_path):
    run, _ = trained
    words = ("--task", "Cartpole", "--log_root", "logs", "--no_final_video", "--max_iterations", "5")
    done = script("train", *words, "--resume", "--checkpoint", str(run), cwd=run.parents[2])
    assert done.returncode == 0, done.stderr
    assert "ranks: 1 now, 2 when the checkpoint was saved. The episodes begin afresh." in done.stdout


# --- the end


def wait_for(text: str, said: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while text not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """`start(command, …)` runs it in the folder of the test, its output in `said`; nothing of it outlives the test."""
    started: list[subprocess.Popen] = []

    def popen(command: list[str], **environment: str) -> subprocess.Popen:
        with (tmp_path / "said").open("a") as said:
            options = {"cwd": tmp_path, "stdout": said, "stderr": said, "env": os.environ | environment}
            started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield popen
    for process in started:
        process.send_signal(signal.SIGTERM)  # to torchrun, which passes it on
    for process in started:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


LONG = (str(ROOT / "scripts" / "train.py"), *SMALL, "--max_iterations", "100000")


def test_ctrl_c_ends_all_of_them_in_order(start, tmp_path):
    process = start([*TORCHRUN, *LONG])
    said = tmp_path / "said"
    wait_for(" 1/100000]", said, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    text = said.read_text()
    assert text.count("SIGINT: saving after this iteration") == 1
    assert "error:" not in text
    (run,) = (tmp_path / "logs" / "cartpole").iterdir()
    saved = max(int(path.stem.removeprefix("model_")) for path in (run / "checkpoints").glob("model_*.pt"))
    assert saved == rows(run)[-1]["iteration"]
    hint = r"python\S* -m torch\.distributed\.run --standalone --nproc_per_node 2 \S*scripts/train\.py "
    assert re.search(hint + r"--task Cartpole --resume --checkpoint \S+ --distributed", " ".join(text.split())), text


def test_a_signal_to_one_ends_both_after_the_same_iteration(start, tmp_path, free_port):
    together = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port}
    both = [start([sys.executable, *LONG], **together, RANK=rank, LOCAL_RANK=rank) for rank in ("0", "1")]
    wait_for(" 1/100000]", tmp_path / "said", both[0])
    both[1].send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in both] == [143, 143]
    assert "Cartpole: stopped" in (tmp_path / "said").read_text()


def test_an_error_on_one_ends_the_other_with_the_reason(tmp_path):
    began = time.monotonic()
    done = torchrun(
        tmp_path, "--task", "Breaks", "--num_envs", "16", *RUN, program=Path(__file__).with_name("breaks.py")
    )
    assert time.monotonic() - began < 100  # most of it to start; nobody waits for the ten minutes of an exchange
    assert done.returncode != 0
    text = done.stderr
    assert re.search(r"ZeroDivisionError: on purpose\n.*\(rank 1 of 2\)", text), text
    reason = "another rank: got rank 1 ended with ZeroDivisionError: on purpose"
    assert f"error: {reason}; expected all 2 to the end. (rank 0 of 2)" in text
    hint = r"go on from the last checkpoint: \S*python\S* -m torch\.distributed\.run"
    assert re.search(hint, " ".join(done.stdout.split()))


# --- how they are started


def test_the_flag_alone_starts_nothing(script, tmp_path):
    done = script("train", *SMALL, cwd=tmp_path)
    assert done.returncode == 2
    assert "error: --distributed: got a process without RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR" in done.stderr
    assert not list(tmp_path.iterdir())


def test_several_processes_without_the_flag_are_no_training(script, tmp_path):
    words = [word for word in SMALL if word != "--distributed"]
    done = script("train", *words, cwd=tmp_path, env=os.environ | {"RANK": "1", "WORLD_SIZE": "2"})
    assert done.returncode == 2
    assert "error: --distributed: got 2 processes (WORLD_SIZE) without it" in done.stderr
    assert not list(tmp_path.iterdir())
