import math

import pytest
from rich.cells import cell_len

from fleetfoot.runners.logging.view import ASCII, UNICODE, View, render
from fleetfoot.runners.logging.writer import IterationReport


def _view(run, report: IterationReport, **changes) -> View:
    history = {tag: [float(i) for i in range(60)] for tag in report.scalars}
    arguments = {
        "run": run,
        "report": report,
        "timings": report.timings,
        "steps_per_second": 12288.0,
        "seconds_left": 190.0,
        "best_reward": 24.9,
        "history": history,
    }
    return View(**(arguments | changes))


def _text(lines):
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", [20, 30, 46, 63, 64, 79, 80, 100, 200])
@pytest.mark.parametrize("height", [3, 8, 11, 23, 60])
def test_every_line_has_exactly_the_width_and_none_is_below_the_height(make_run, make_report, width, height, glyphs):
    lines = _text(render(_view(make_run(), make_report(150)), width=width, height=height, glyphs=glyphs))
    assert 0 < len(lines) <= height
    assert {cell_len(line) for line in lines} == {width}


def test_all_that_was_asked_for_is_on_one_screen(make_run, make_report):
    screen = "\n".join(_text(render(_view(make_run(), make_report(150)), width=80, height=23)))
    for shown in (
        "Anymal-Flat", "256 envs · cpu", "150/300", "50%", "1:15", "3:10 left", "12,288 steps/s", "simulation 58%",
        "inference 9%", "learning 30%", "best 24.90", "episode length", "track lin vel", "error vel xy", "time out 92%",
        "base contact 8%", "term number 9", "value loss", "surrogate loss", "entropy", "KL divergence",
        "clip fraction", "explained var.", "actor gradient", "critic gradient", "action std", "learning rate",
    ):  # fmt: skip
        assert shown in screen


def test_what_a_student_reports_has_names_too(make_run, make_report):
    extra = {"Loss/behavior": 0.5, "Grad/student_norm": 2.0, "Policy/teacher_share": 0.25}
    screen = "\n".join(_text(render(_view(make_run(), make_report(9, extra=extra)), width=80, height=40)))
    assert all(shown in screen for shown in ("imitation loss", "student gradient", "teacher acts"))


def test_ascii_is_ascii(make_run, make_report):
    assert "\n".join(_text(render(_view(make_run(), make_report(9)), width=80, height=23, glyphs=ASCII))).isascii()


def test_nothing_known_yet(make_run, make_report):
    report = make_report(1)
    report.scalars.clear()
    changes = {"history": {}, "best_reward": -math.inf, "seconds_left": math.nan, "steps_per_second": math.nan}
    for width in (46, 80):
        screen = "\n".join(_text(render(_view(make_run(), report, **changes), width=width, height=23)))
        assert "waiting for the first episode to end" in screen
        assert not {"inf", "nan", "-inf"} & set(screen.split())


def test_what_is_not_finite_is_shown_in_red(make_run, make_report):
    report = make_report(5, extra={"Loss/value": math.nan, "Episode_Reward/term_number_0_l2": math.inf})
    history = {"Loss/value": [1.0, math.nan], "Train/mean_reward": [math.nan, math.inf, 1.0]}
    lines = render(_view(make_run(), report, history=history), width=80, height=23)
    red = [text.strip() for line in lines for text, style in line if style == "bold red"]
    assert red == ["inf", "nan"]


def test_bars_are_green_for_rewards_and_red_for_penalties(make_run, make_report):
    report = make_report(5)
    for tag in [tag for tag in report.scalars if tag.startswith("Episode_Reward/")]:
        report.scalars.pop(tag)
    report.scalars.update({"Episode_Reward/forward": 2.0, "Episode_Reward/torque": -1.0})
    lines = render(_view(make_run(), report), width=80, height=23)
    forward = next(line for line in lines if line[0][0].startswith(" forward"))
    torque = next(line for line in lines if line[0][0].startswith(" torque"))
    assert forward[2] == ("━" * 10, "green")
    assert torque[2] == ("━" * 5, "red")


def test_other_tags_of_the_learner_are_shown_under_their_own_name(make_run, make_report):
    report = make_report(5, extra={"Loss/symmetry": 0.1, "Curriculum/terrain_level": 3.0})
    screen = "\n".join(_text(render(_view(make_run(), report), width=80, height=40)))
    assert "symmetry" in screen
    assert "terrain level" in screen
