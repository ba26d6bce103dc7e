import pytest

from fleetfoot.runners.logging.writer import NullWriter, Timings, section


def test_timings_make_the_perf_tags():
    scalars = Timings(collection=0.6, simulation=0.5, inference=0.05, learning=0.4).scalars(num_steps=1000)
    assert scalars["Perf/total_fps"] == pytest.approx(1000)
    assert scalars["Perf/collection_time"] == 0.6
    assert scalars["Perf/learning_time"] == 0.4


def test_section_strips_the_prefix_and_keeps_the_order():
    assert section({"A/y": 1.0, "B/x": 2.0, "A/x/time": 3.0, "AB/z": 4.0}, "A") == {"y": 1.0, "x/time": 3.0}
    assert list(section({"A/y": 1.0, "A/x": 3.0}, "A")) == ["y", "x"]


def test_null_writer_takes_everything(make_run, make_report, tmp_path):
    writer = NullWriter()
    writer.start(make_run())
    writer.write(make_report(1))
    writer.add_video(tmp_path / "a.mp4", 1)
    writer.close("finished")
    assert list(tmp_path.iterdir()) == []
