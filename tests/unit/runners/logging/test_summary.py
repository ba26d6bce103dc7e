import math
from dataclasses import replace
from pathlib import Path

from rich.cells import cell_len

from fleetfoot.runners.logging.summary import RunSummary, summary_lines
from fleetfoot.runners.logging.view import ASCII

FOLDER = Path("/home/somebody/with/a/long/path/logs/fleetfoot/anymal_flat/2026-01-05_12-00-00_a_long_run_name")
SUMMARY = RunSummary(
    title="Anymal-Flat",
    status="finished",
    iterations=1500,
    seconds=262.0,
    env_steps=9_216_000,
    final_reward=23.4,
    best_reward=24.4,
    metrics={"tracking lin": 0.95},
    folder=FOLDER,
    files={"checkpoint": FOLDER / "checkpoints" / "best.pt", "copy": Path("/elsewhere/policy.onnx")},
    hints=("./isaaclab.sh -p scripts/play.py --task Anymal-Flat",),
)


def _text(summary, **options):
    return ["".join(text for text, _ in line) for line in summary_lines(summary, **options)]


def test_it_says_what_the_run_came_to_in_80_columns():
    lines = _text(SUMMARY)
    assert max(cell_len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for shown in (
        "finished", "4:22 · 1,500 iterations", "9,216,000 · 35,176 steps/s", "23.40 · best 24.40",
        "tracking lin  0.950", " checkpoint    checkpoints/best.pt", "/elsewhere/policy.onnx", "scripts/play.py",
        "a_long_run_name",
    ):  # fmt: skip
        assert shown in text


def test_ascii_is_ascii():
    assert "\n".join(_text(SUMMARY, glyphs=ASCII)).isascii()


def test_a_run_without_a_finished_episode_has_no_reward():
    text = "\n".join(_text(replace(SUMMARY, final_reward=math.nan, best_reward=math.nan, seconds=0.0)))
    assert "best" not in text.replace("best.pt", "")


def test_a_run_stopped_before_its_first_iteration_has_no_rate():
    (steps,) = (line for line in _text(replace(SUMMARY, env_steps=0, seconds=0.0)) if line.startswith(" steps"))
    assert steps.split() == ["steps", "0"]


def test_a_long_name_does_not_run_into_its_value():
    metrics = {"base_velocity/error_vel_xy": 0.673}
    assert " base velocity/error vel xy 0.673" in _text(replace(SUMMARY, metrics=metrics))
