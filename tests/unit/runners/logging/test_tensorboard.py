import pytest

from fleetfoot.runners.logging.tensorboard import TensorboardWriter


def _write(run, reports):
    writer = TensorboardWriter()
    writer.start(run)
    for report in reports:
        writer.write(report)
    writer.close("finished")


def _load(folder):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    loaded = event_accumulator.EventAccumulator(str(folder))
    loaded.Reload()
    return loaded


def test_tensorboard_reads_tags_steps_and_values(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(i) for i in range(1, 4)])
    loaded = _load(tmp_path)
    rewards = loaded.Scalars("Train/mean_reward")
    assert [event.step for event in rewards] == [1, 2, 3]
    assert rewards[1].value == pytest.approx(make_report(2).scalars["Train/mean_reward"], rel=1e-6)
    assert {"Perf/total_fps", "Loss/surrogate", "Policy/mean_std"} <= set(loaded.Tags()["scalars"])


def test_two_tags_have_seconds_on_their_axis(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(i, seconds_each=2.0) for i in range(1, 4)])
    for tag in ("Train/mean_reward/time", "Train/mean_episode_length/time"):
        assert [event.step for event in _load(tmp_path).Scalars(tag)] == [2, 4, 6]


def test_the_config_is_a_text(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(1)])
    (event,) = _load(tmp_path).Tensors("run/config")
    assert b'"seed": 42' in event.tensor_proto.string_val[0]


def test_resume_leaves_every_iteration_once(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(i, seconds_each=20.0) for i in range(1, 8)])
    _write(make_run(resumed_from=5), [make_report(i, seconds_each=20.0) for i in range(6, 9)])
    loaded = _load(tmp_path)
    assert [event.step for event in loaded.Scalars("Train/mean_reward")] == list(range(1, 9))
    assert [event.step for event in loaded.Scalars("Train/mean_reward/time")] == list(range(20, 161, 20))


def test_resume_cuts_off_a_record_that_was_not_finished(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(i) for i in range(1, 4)])
    (path,) = tmp_path.glob("events*")
    path.write_bytes(path.read_bytes()[:-7])
    _write(make_run(resumed_from=3), [make_report(4)])
    assert [event.step for event in _load(tmp_path).Scalars("Loss/value")] == [1, 2, 3, 4]


def test_a_tag_may_be_missing(make_run, make_report, tmp_path):
    report = make_report(1)
    report.scalars.pop("Train/mean_reward")
    _write(make_run(), [report, make_report(2)])
    assert [event.step for event in _load(tmp_path).Scalars("Train/mean_reward")] == [2]
