"""Which code made a run: the commit of a git repository and what was changed since."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["git_commit", "write_git_state"]


def git_commit(path: Path) -> dict[str, str | bool]:
    """Commit and cleanness of the repository that holds `path`; empty if there is none, or no git."""
    commit = _git(path, "rev-parse", "HEAD")
    if not commit:
        return {}
    return {"commit": commit.strip(), "dirty": bool(_git(path, "status", "--porcelain"))}


def write_git_state(path: Path, folder: Path) -> None:
    """Write `<repository>.diff` into the folder: the commit, the status and the changes since it."""
    root = _git(path, "rev-parse", "--show-toplevel").strip()
    if not root:
        return
    folder.mkdir(parents=True, exist_ok=True)
    commit = _git(path, "rev-parse", "HEAD")
    status, diff = _git(path, "status", "--porcelain"), _git(path, "diff", "HEAD")
    text = f"--- commit ---\n{commit}\n--- status ---\n{status}\n--- diff ---\n{diff}"
    (folder / f"{Path(root).name}.diff").write_text(text, encoding="utf-8")


def _git(path: Path, *arguments: str) -> str:
    folder = path if path.is_dir() else path.parent
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, errors="replace").stdout
    except (OSError, subprocess.SubprocessError):
        return ""
