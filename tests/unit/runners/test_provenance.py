import subprocess

import pytest

from fleetfoot.runners.provenance import git_commit, write_git_state


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "project"
    root.mkdir()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (root / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-qm", "first")
    return root, git("rev-parse", "HEAD").strip()


def test_a_clean_repository_is_its_commit(repository):
    root, commit = repository
    assert git_commit(root) == {"commit": commit, "dirty": False}
    assert git_commit(root / "code.py") == {"commit": commit, "dirty": False}


def test_a_change_makes_it_dirty(repository):
    root, commit = repository
    (root / "code.py").write_text("x = 2\n")
    assert git_commit(root) == {"commit": commit, "dirty": True}


def test_what_was_changed_is_written_down(repository, tmp_path):
    root, commit = repository
    (root / "code.py").write_text("x = 2\n")
    (root / "new.py").touch()
    write_git_state(root, tmp_path / "git")
    text = (tmp_path / "git" / "project.diff").read_text()
    assert commit in text
    assert "-x = 1\n+x = 2\n" in text
    assert "?? new.py" in text


def test_outside_of_a_repository_nothing_is_said(tmp_path):
    assert git_commit(tmp_path) == {}
    write_git_state(tmp_path, tmp_path / "git")
    assert not (tmp_path / "git").exists()
