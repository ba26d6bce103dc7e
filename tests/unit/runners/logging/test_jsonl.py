import json
import math

from fleetfoot.runners.logging.jsonl import JsonlWriter, read_metrics


def _write(run, reports):
    writer = JsonlWriter()
    writer.start(run)
    for report in reports:
        writer.write(report)
    return writer


def test_one_valid_line_per_iteration_is_there_before_the_file_is_closed(make_run, make_report, tmp_path):
    writer = _write(make_run(), [make_report(1), make_report(2)])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    writer.close("finished")
    records = [json.loads(line) for line in lines]
    assert [record["iteration"] for record in records] == [1, 2]
    assert records[1]["env_steps"] == 12288
    assert records[1]["Loss/learning_rate"] == 1e-3


def test_numbers_that_are_not_finite_become_null(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(1, extra={"Loss/value": math.nan, "Grad/actor_norm": math.inf})]).close("failed")
    text = (tmp_path / "metrics.jsonl").read_text()
    record = json.loads(text, parse_constant=_refuse)
    assert record["Loss/value"] is None
    assert record["Grad/actor_norm"] is None


def _refuse(name):
    raise AssertionError(f"{name} is not JSON")


def test_resume_drops_what_came_after_the_checkpoint_and_a_torn_line(make_run, make_report, tmp_path):
    _write(make_run(), [make_report(i) for i in range(1, 8)]).close("interrupted")
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"iteration": 8, "env_st')
    _write(make_run(resumed_from=5), [make_report(6), make_report(7)]).close("finished")
    assert [record["iteration"] for record in read_metrics(path)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_writer_can_be_closed_twice_and_started_again(make_run, make_report, tmp_path):
    writer = _write(make_run(), [make_report(1)])
    writer.close("finished")
    writer.close("finished")
    writer.start(make_run(resumed_from=1))
    writer.write(make_report(2))
    writer.close("finished")
    assert len(list(read_metrics(tmp_path / "metrics.jsonl"))) == 2
