"""What Isaac Sim's window shows."""

from pathlib import Path

from fleetfoot_isaaclab_ui.runs import checkpoint_words, find_runs


def make_run(folder: Path, *names: str) -> None:
    (folder / "checkpoints").mkdir(parents=True)
    for name in names:
        (folder / "checkpoints" / name).touch()


def test_runs_with_a_checkpoint_are_found_the_last_first(tmp_path: Path) -> None:
    make_run(tmp_path / "ant/2026-01-05_12-00-00", "model_9.pt", "model_50.pt", "model_99.pt.void", "best.pt")
    make_run(tmp_path / "cartpole/2026-01-06_08-00-00_two words", "model_3.pt")
    make_run(tmp_path / "cartpole/2026-01-07_08-00-00")
    found = [(run.experiment, run.folder.name, run.iteration) for run in find_runs(tmp_path)]
    assert found == [("cartpole", "2026-01-06_08-00-00_two words", 3), ("ant", "2026-01-05_12-00-00", 50)]


def test_no_folder_no_runs(tmp_path: Path) -> None:
    assert find_runs(tmp_path / "logs") == []


def test_what_is_copied_can_be_typed(tmp_path: Path) -> None:
    make_run(tmp_path / "ant/two words", "model_3.pt")
    (run,) = find_runs(tmp_path)
    assert checkpoint_words(run) == f"--checkpoint '{tmp_path}/ant/two words'"
