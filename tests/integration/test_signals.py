import re
import signal
import time

import pytest

pytestmark = pytest.mark.slow

LONG = ("--task", "Cartpole", "--num_envs", "16", "--log_root", "logs", "--max_iterations", "100000")


def wait_for(text: str, said, process) -> None:
    deadline = time.monotonic() + 120
    while text not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_go_on(start, script, tmp_path, number, status):
    process = start("train", *LONG, cwd=tmp_path)
    said = tmp_path / "said"
    wait_for(" 1/100000]", said, process)
    process.send_signal(number)
    assert process.wait(60) == status
    text = said.read_text()
    assert f"{number.name}: saving after this iteration" in text
    assert "Traceback" not in text
    (run,) = (tmp_path / "logs" / "cartpole").iterdir()
    hint = re.search(r"scripts/train\.py (--task Cartpole --resume --checkpoint \S+)", text)
    assert hint, text
    saved = max(int(path.stem.removeprefix("model_")) for path in (run / "checkpoints").glob("model_*.pt"))
    assert saved >= 1
    words = [*hint[1].split(), "--max_iterations", str(saved + 1), "--no_final_video", "--log_root", "logs"]
    done = script("train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (run / "checkpoints" / f"model_{saved + 1}.pt").is_file()


def test_a_second_signal_stops_at_once(start, tmp_path):
    process = start("train", *LONG, "agent.num_steps_per_env=8000", "agent.algorithm.num_mini_batches=1", cwd=tmp_path)
    wait_for(" 1/100000]", tmp_path / "said", process)  # the next iteration takes seconds, and cannot be over at once
    process.send_signal(signal.SIGINT)
    wait_for("SIGINT: saving", tmp_path / "said", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_is_set_up_ends_it_at_once(start, tmp_path, number, status):
    process = start("train", *LONG, cwd=tmp_path)
    wait_for("import torch", tmp_path / "said", process)
    process.send_signal(number)
    assert process.wait(60) == status
    assert "Traceback" not in (tmp_path / "said").read_text()
