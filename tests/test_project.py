"""A project on disk: rebuilt without losing what its owner did, all files or none."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from specc import project
from specc.diagnostics import UserError

OLD = {"train.py": "LR = 0.1\n", "data.py": "SIZE = 32\n", "launch.sh": "#!/bin/sh\n"}
NEW = {"train.py": "LR = 0.2\n", "model.py": "HEAD = 'fc'\n", "launch.sh": "#!/bin/sh\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that was just built."""
    project.write(tmp_path / "out", OLD)
    return tmp_path / "out"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones as well."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def visible(folder: Path) -> dict[str, str]:
    """The project's own files."""
    return {name: text.decode() for name, text in tree(folder).items() if name[0] != "."}


def test_a_first_build_writes_all_files_and_their_pristine_copies(folder: Path) -> None:
    assert visible(folder) == OLD
    assert {name: (folder / ".specc/base" / f"{name}.base").read_text() for name in OLD} == OLD
    assert set(json.loads((folder / ".specc/lock.json").read_text())["files"]) == set(OLD)
    assert os.access(folder / "launch.sh", os.X_OK)
    assert not os.access(folder / "train.py", os.X_OK)


def test_a_build_of_the_same_changes_nothing(folder: Path) -> None:
    before = {name: (folder / name).stat().st_mtime_ns for name in OLD}
    changes = project.write(folder, OLD)
    assert changes.written == ()
    assert set(changes.unchanged) == set(OLD)
    assert {name: (folder / name).stat().st_mtime_ns for name in OLD} == before


def test_what_was_never_edited_follows_the_spec(folder: Path) -> None:
    changes = project.write(folder, NEW)
    assert visible(folder) == NEW
    assert changes.removed == ("data.py",)
    assert "data.py" in str(changes)


@pytest.mark.parametrize("name", ["train.py", "model.py"])
def test_an_edited_file_or_the_owners_own_stops_the_build_and_is_named(
    folder: Path, name: str
) -> None:
    (folder / name).write_text("LR = 0.3  # mine\n")
    before = tree(folder)
    with pytest.raises(UserError, match=name):
        project.write(folder, NEW)
    assert tree(folder) == before


def test_an_edit_that_is_what_would_be_generated_is_no_obstacle(folder: Path) -> None:
    (folder / "train.py").write_text(NEW["train.py"])
    project.write(folder, NEW)
    assert visible(folder) == NEW


def test_an_edit_stays_while_the_spec_asks_for_nothing_else(folder: Path) -> None:
    (folder / "train.py").write_text("LR = 0.3  # mine\n")
    changes = project.write(folder, OLD | {"data.py": "SIZE = 64\n"})
    assert visible(folder) == OLD | {"train.py": "LR = 0.3  # mine\n", "data.py": "SIZE = 64\n"}
    assert changes.edited == ("train.py",)
    assert "train.py" in str(changes)
    with pytest.raises(UserError, match="train.py"):
        project.write(folder, NEW)


def test_an_edited_file_that_is_no_longer_generated_is_kept_and_named(folder: Path) -> None:
    (folder / "data.py").write_text("SIZE = 64  # mine\n")
    changes = project.write(folder, NEW)
    assert visible(folder) == NEW | {"data.py": "SIZE = 64  # mine\n"}
    assert changes.kept == ("data.py",)
    assert "data.py" in str(changes)


def test_a_deleted_file_stays_deleted_and_that_is_said(folder: Path) -> None:
    (folder / "train.py").unlink()
    changes = project.write(folder, NEW)
    assert "train.py" not in visible(folder)
    assert changes.left_out == ("train.py",)
    assert "train.py" in str(changes)
    assert project.write(folder, NEW).left_out == ("train.py",)


def test_runs_and_notes_of_the_owner_are_left_alone(folder: Path) -> None:
    (folder / "runs").mkdir()
    (folder / "runs/best.pt").write_bytes(b"weights")
    (folder / "notes.md").write_text("mine\n")
    project.write(folder, NEW)
    assert visible(folder) == NEW | {"runs/best.pt": "weights", "notes.md": "mine\n"}


def test_a_file_where_a_folder_is_stops_the_build(folder: Path) -> None:
    (folder / "model.py").mkdir()
    with pytest.raises(UserError, match="model.py"):
        project.write(folder, NEW)


@pytest.mark.parametrize("text", ["", "<<<<<<< mine", "[]", "{}", '{"files": 1}'])
def test_a_damaged_lock_stops_the_build(folder: Path, text: str) -> None:
    (folder / ".specc/lock.json").write_text(text)
    before = tree(folder)
    with pytest.raises(UserError, match="lock.json: damaged"):
        project.write(folder, NEW)
    assert tree(folder) == before


class Killed(BaseException):
    """What a process that is killed at some call does from then on: nothing."""


def test_a_build_that_is_killed_anywhere_leaves_the_old_or_finishes_as_the_new(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls_in_all = {"old": 0, "new": 0}
    for killed_at in range(1000):
        copy = tmp_path / f"copy{killed_at}"
        shutil.copytree(folder, copy)
        with monkeypatch.context() as patch:
            count = kill_at(patch, killed_at)
            try:
                project.write(copy, NEW)
            except Killed:
                pass
            else:
                assert count() <= killed_at
                break
        interrupted = copy / ".specc/ready"
        outcome = "new" if interrupted.exists() or visible(copy) == NEW else "old"
        calls_in_all[outcome] += 1
        if outcome == "old":
            assert visible(copy) == OLD
        # Whatever is built next, the project is whole, and nothing counts as edited.
        project.write(copy, NEW)
        assert visible(copy) == NEW
        assert project.write(copy, OLD).kept == ()
        assert visible(copy) == OLD
        assert not (copy / ".specc/ready").exists()
    assert min(calls_in_all.values()) > 1, "the kills did not fall on both sides"


def test_an_edit_after_a_build_that_was_killed_is_not_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = 0
    for killed_at in range(1000):
        copy = tmp_path / f"copy{killed_at}"
        shutil.copytree(folder, copy)
        with monkeypatch.context() as patch:
            kill_at(patch, killed_at)
            try:
                project.write(copy, NEW)
            except Killed:
                pass
            else:
                break
        (copy / "train.py").write_text("LR = 0.3  # mine\n")
        (copy / "data.py").write_text("SIZE = 64  # mine\n")
        with suppress(UserError):  # where the new files are not in place yet
            project.write(copy, NEW)
        assert (copy / "train.py").read_text() == "LR = 0.3  # mine\n"
        assert (copy / "data.py").read_text() == "SIZE = 64  # mine\n"
        edited += 1
    assert edited > 10


def kill_at(patch: pytest.MonkeyPatch, number: int) -> "Counter":
    """Let the file operation of that number, and all after it, not happen."""
    counter = Counter()
    for owner, name in [
        (os, "replace"),
        (Path, "write_text"),
        (Path, "unlink"),
        (Path, "mkdir"),
        (shutil, "rmtree"),
    ]:
        real = getattr(owner, name)

        def counted(*args: object, real: object = real, **kwargs: object) -> object:
            counter.calls += 1
            if counter.calls > number:
                raise Killed
            return real(*args, **kwargs)  # type: ignore[operator]

        patch.setattr(owner, name, counted)
    return counter


class Counter:
    calls = 0

    def __call__(self) -> int:
        return self.calls


def test_a_full_disk_leaves_the_project_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_text

    def full(path: Path, text: str, **options: str) -> int:
        if path.name.startswith("model.py"):
            raise OSError(28, "No space left on device")
        return real(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        project.write(folder, NEW)
    assert visible(folder) == OLD
    monkeypatch.undo()
    project.write(folder, NEW)
    assert visible(folder) == NEW
