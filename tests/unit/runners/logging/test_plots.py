import pytest

from fleetfoot.errors import OutputError
from fleetfoot.runners.logging.jsonl import JsonlWriter
from fleetfoot.runners.logging.plots import _curriculum_panels, _learner_panels, _load, plot_learning_curves, plot_seeds


@pytest.fixture
def metrics(make_run, make_report, tmp_path):
    def make(count=40, without=(), extra=None):
        writer = JsonlWriter()
        writer.start(make_run())
        for i in range(1, count + 1):
            report = make_report(i, count, extra=extra)
            for tag in [tag for tag in report.scalars if tag.startswith(tuple(without))] if without else []:
                report.scalars.pop(tag)
            writer.write(report)
        writer.close("finished")
        return tmp_path / "metrics.jsonl"

    return make


def _is_png(path):
    return path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 20_000


def test_one_run(metrics, tmp_path):
    plot_learning_curves(metrics(), tmp_path / "curves.png", title="Anymal-Flat")
    assert _is_png(tmp_path / "curves.png")


def test_several_seeds(metrics, tmp_path):
    path = metrics()
    plot_learning_curves([path, path, path], tmp_path / "curves.png")
    plot_seeds([path, path], tmp_path / "seeds.png", title="two seeds")
    assert _is_png(tmp_path / "curves.png")
    assert _is_png(tmp_path / "seeds.png")


def test_a_curriculum_has_a_diagram_of_its_own(metrics, tmp_path):
    assert not _curriculum_panels(_load([metrics()]))
    path = metrics(extra={"Curriculum/terrain_levels": 2.0})
    assert [panel.curves for panel in _curriculum_panels(_load([path]))] == [
        {"terrain levels": "Curriculum/terrain_levels"}
    ]
    plot_seeds([path], tmp_path / "seeds.png")
    assert _is_png(tmp_path / "seeds.png")


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_of_an_iteration_or_two(metrics, tmp_path, count):
    plot_learning_curves(metrics(count), tmp_path / "curves.png")
    assert _is_png(tmp_path / "curves.png")


def test_tags_that_are_missing_or_not_finite(metrics, tmp_path):
    path = metrics(without=("Metrics/", "Train/", "Policy/kl"), extra={"Loss/value": float("nan")})
    plot_learning_curves(path, tmp_path / "curves.png")
    plot_seeds([path, path], tmp_path / "seeds.png")
    assert _is_png(tmp_path / "curves.png")


def test_a_student_has_diagrams_of_its_own(metrics, tmp_path):
    path = metrics(without=("Loss/value", "Policy/kl"), extra={"Loss/behavior": 0.5, "Grad/student_norm": 2.0})
    assert [panel.title for panel in _learner_panels(_load([path]))[:2]] == ["imitation loss", "student gradient"]
    plot_learning_curves(path, tmp_path / "curves.png")
    assert _is_png(tmp_path / "curves.png")


def test_nothing_to_draw(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(OutputError, match="no iterations"):
        plot_learning_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
