"""A project on disk: rebuilt without losing what its owner did, all files or none."""

import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from specc import __version__
from specc.project.write import Changes, write
from specc.source.diagnostics import UserError

OLD = {"train.py": "LR = 0.1\nSEED = 1\n", "data.py": "SIZE = 32\n", "launch.sh": "#!/bin/sh\n"}
NEW = {"train.py": "LR = 0.2\nSEED = 1\n", "model.py": "HEAD = 'fc'\n", "launch.sh": "#!/bin/sh\n"}
MINE = "LR = 0.1\nSEED = 9  # mine\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that was just built."""
    write(tmp_path / "out", OLD)
    return tmp_path / "out"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones as well."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "build.lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def visible(folder: Path) -> dict[str, str]:
    """The project's own files."""
    return {name: text.decode() for name, text in tree(folder).items() if name[0] != "."}


def bases(folder: Path) -> dict[str, str]:
    """What counts as generated."""
    root = folder / ".specc/base"
    files = root.rglob("*.base")
    return {str(file.relative_to(root)).removesuffix(".base"): file.read_text() for file in files}


# ---- what becomes of a file ----


def test_a_first_build_writes_all_files_and_their_pristine_copies(folder: Path) -> None:
    assert visible(folder) == bases(folder) == OLD
    assert set(json.loads((folder / ".specc/lock.json").read_text())["files"]) == set(OLD)
    assert os.access(folder / "launch.sh", os.X_OK)
    assert not os.access(folder / "train.py", os.X_OK)


def test_a_build_of_the_same_changes_nothing(folder: Path) -> None:
    before = {name: (folder / name).stat().st_mtime_ns for name in OLD}
    changes = write(folder, OLD)
    assert changes.paths("written") == ()
    assert set(changes.paths("unchanged")) == set(OLD)
    assert {name: (folder / name).stat().st_mtime_ns for name in OLD} == before


def test_what_was_never_edited_follows_the_spec(folder: Path) -> None:
    changes = write(folder, NEW)
    assert visible(folder) == bases(folder) == NEW
    assert changes.paths("removed") == ("data.py",)
    assert "no longer generated, removed: data.py" in str(changes)


def test_an_edit_is_merged_with_what_the_spec_changes_elsewhere(folder: Path) -> None:
    (folder / "train.py").write_text(MINE)
    changes = write(folder, NEW)
    assert visible(folder) == NEW | {"train.py": "LR = 0.2\nSEED = 9  # mine\n"}
    assert bases(folder) == NEW
    assert changes.paths("merged") == ("train.py",)
    assert not changes.conflicts
    write(folder, OLD)
    assert visible(folder)["train.py"] == MINE


def test_an_edit_that_is_what_would_be_generated_is_no_obstacle(folder: Path) -> None:
    (folder / "train.py").write_text(NEW["train.py"])
    changes = write(folder, NEW)
    assert "train.py" in changes.paths("unchanged")
    assert visible(folder) == bases(folder) == NEW


def test_an_edit_stays_while_the_spec_asks_for_nothing_else(folder: Path) -> None:
    (folder / "train.py").write_text(MINE)
    changes = write(folder, OLD | {"data.py": "SIZE = 64\n"})
    assert visible(folder) == OLD | {"train.py": MINE, "data.py": "SIZE = 64\n"}
    assert changes.paths("edited") == ("train.py",)


def test_the_mode_that_the_owner_gave_a_file_stays(folder: Path) -> None:
    (folder / "train.py").chmod(0o700)
    write(folder, NEW)
    assert (folder / "train.py").stat().st_mode & 0o777 == 0o700


CONFLICT = """\
<<<<<<< yours
LR = 0.5
=======
LR = 0.2
>>>>>>> generated
SEED = 1
"""


def test_a_conflict_is_marked_and_not_forgotten(folder: Path) -> None:
    (folder / "train.py").write_text("LR = 0.5\nSEED = 1\n")
    changes = write(folder, NEW)
    assert (folder / "train.py").read_text() == CONFLICT
    assert changes.conflicts == ["train.py:1"]
    assert "train.py:1" in str(changes)
    before = tree(folder)
    for files in (NEW, OLD):  # whatever is built next
        with pytest.raises(UserError, match="conflicts that are still there: train.py:1"):
            write(folder, files)
        assert tree(folder) == before
    (folder / "train.py").write_text("LR = 0.5\nSEED = 1\n")
    assert not write(folder, NEW).conflicts
    assert (folder / "train.py").read_text() == "LR = 0.5\nSEED = 1\n"
    changes = write(folder, NEW | {"train.py": "LR = 0.2\nSEED = 7\n"})
    assert (folder / "train.py").read_text() == "LR = 0.5\nSEED = 7\n"
    assert not changes.conflicts


def test_a_conflict_in_a_file_that_is_deleted_then_is_resolved(folder: Path) -> None:
    (folder / "train.py").write_text("LR = 0.5\nSEED = 1\n")
    write(folder, NEW)
    (folder / "train.py").unlink()
    assert write(folder, NEW).paths("left_out") == ("train.py",)


def test_a_merge_that_is_no_python_is_said(folder: Path) -> None:
    write(folder, OLD | {"train.py": "a = 1\nb = 2\nc = 3\n"})
    (folder / "train.py").write_text("a = (1\nb = 2\nc = 3\n")
    changes = write(folder, OLD | {"train.py": "a = 1\nb = 2\nc = 4\n"})
    assert (folder / "train.py").read_text() == "a = (1\nb = 2\nc = 4\n"
    assert changes.broken == ["train.py:1: '(' was never closed"]
    assert "BROKEN" in str(changes)


def test_a_name_that_an_edit_needs_and_the_spec_takes_away_is_said(folder: Path) -> None:
    text = "import math\n\n\ndef f():\n    return math.pi\n\n\ndef g():\n    return 1\n"
    write(folder, OLD | {"train.py": text})
    (folder / "train.py").write_text(text.replace("return 1", "return math.e"))
    changes = write(
        folder, OLD | {"train.py": "def f():\n    return 3\n\n\ndef g():\n    return 1\n"}
    )
    assert changes.broken == ["train.py:6: the generated code no longer has math"]


def test_names_that_an_edit_needs_are_said_with_a_conflict_and_after_it(folder: Path) -> None:
    write(folder, OLD | {"train.py": "LR = 1\nA = 2\n\n\ndef f():\n    return LR\n"})
    (folder / "train.py").write_text("LR = 1\nA = 2\n\n\ndef f():\n    return LR * A + C\n")
    new = OLD | {"train.py": "def f():\n    return 3\n"}
    changes = write(folder, new)
    assert changes.conflicts
    assert changes.broken == ["train.py: your lines use A, LR, which the new code lacks"]
    (folder / "train.py").write_text("def f():\n    return LR * A + C\n")
    for _ in range(2):
        assert write(folder, new).broken == [
            f"train.py:2: {name} is not defined" for name in ("A", "C", "LR")
        ]
    (folder / "train.py").write_text("LR, A, C = 1, 2, 3\n\n\ndef f():\n    return LR * A + C\n")
    assert not write(folder, new).broken


def test_names_that_python_and_other_statements_define_are_not_missed(folder: Path) -> None:
    text = (
        "import os.path as p, sys\nfrom a import b\n\n\nclass C(b):\n    x: int\n\n\n"
        "def f(a, *args, k=1, **more):\n"
        "    with open(__file__) as g, p(sys):\n        y = [i for i in g]\n"
        "    try:\n        pass\n"
        "    except OSError as e:\n        print(e, a, args, k, more, y, C)\n"
        '    match a:\n        case {"k": v, **rest} | [v, *rest] as whole:\n'
        "            return v, rest, whole, (z := 1), z, lambda q: q\n"
    )
    (folder / "train.py").write_text(text)
    assert not write(folder, OLD).broken
    (folder / "train.py").write_text("from a import *\n\nprint(anything)\n")
    assert not write(folder, OLD).broken


def test_an_edited_file_that_is_no_longer_generated_is_kept_and_named(folder: Path) -> None:
    (folder / "data.py").write_text("SIZE = 64  # mine\n")
    for _ in range(2):
        changes = write(folder, NEW)
        assert visible(folder) == NEW | {"data.py": "SIZE = 64  # mine\n"}
        assert changes.paths("kept") == ("data.py",)
        assert "data.py" in str(changes)
    # And if it is generated again, that is merged with what it was.
    write(folder, OLD | {"data.py": "SIZE = 32\nWORKERS = 2\n"})
    assert (folder / "data.py").read_text() == "SIZE = 64  # mine\nWORKERS = 2\n"


def test_a_deleted_file_stays_deleted_and_that_is_said(folder: Path) -> None:
    (folder / "train.py").unlink()
    for _ in range(2):
        changes = write(folder, NEW)
        assert "train.py" not in visible(folder)
        assert changes.paths("left_out") == ("train.py",)
        assert "deleted by you, left out: train.py" in str(changes)


def test_a_renamed_file_is_found_and_goes_on_under_its_name(tmp_path: Path) -> None:
    text = "".join(f"A{number} = {number}\n" for number in range(20))
    write(tmp_path, {"model.py": text, "other.py": "B = 1\n"})
    (tmp_path / "model.py").unlink()
    (tmp_path / "net.py").write_text(text.replace("A3 = 3", "A3 = 33"))
    files = {"model.py": text.replace("A9 = 9", "A9 = 99"), "other.py": "B = 1\n"}
    changes = write(tmp_path, files)
    wanted = text.replace("A3 = 3", "A3 = 33").replace("A9 = 9", "A9 = 99")
    assert visible(tmp_path) == {"net.py": wanted, "other.py": "B = 1\n"}
    assert "renamed by you: model.py is net.py" in str(changes)
    (tmp_path / "net.py").write_text("A3 = 33\n")  # no longer like it, but known
    assert write(tmp_path, files).paths("edited") == ("net.py",)


def test_edits_follow_a_file_that_is_generated_under_another_name(tmp_path: Path) -> None:
    text = "".join(f"A{number} = {number}\n" for number in range(20))
    write(tmp_path, {"model.py": text})
    (tmp_path / "model.py").write_text(text.replace("A3 = 3", "A3 = 33"))
    write(tmp_path, {"net.py": text + "C = 1\n"})
    assert visible(tmp_path) == {"net.py": text.replace("A3 = 3", "A3 = 33") + "C = 1\n"}
    assert bases(tmp_path) == {"net.py": text + "C = 1\n"}


def test_runs_and_notes_of_the_owner_are_left_alone(folder: Path) -> None:
    (folder / "runs").mkdir()
    (folder / "runs/best.pt").write_bytes(b"weights")
    (folder / "notes.md").write_text("mine\n")
    write(folder, NEW)
    assert visible(folder) == NEW | {"runs/best.pt": "weights", "notes.md": "mine\n"}


def test_a_file_of_the_owner_in_the_way_stops_the_build(folder: Path) -> None:
    (folder / "model.py").write_text("MINE = 1\n")
    before = tree(folder)
    with pytest.raises(UserError, match=r"in the way.*last build: model.py"):
        write(folder, NEW)
    assert tree(folder) == before
    changes = write(folder, NEW, adopt=True)
    assert visible(folder) == NEW | {"model.py": "MINE = 1\n"}
    assert changes.paths("adopted") == ("model.py",)
    assert write(folder, NEW).paths("edited") == ("model.py",)


def test_a_folder_where_a_file_would_be_stops_the_build(folder: Path) -> None:
    (folder / "model.py").mkdir()
    with pytest.raises(UserError, match="model.py"):
        write(folder, NEW)


def test_a_project_without_its_pristine_copies_is_adopted_on_demand(folder: Path) -> None:
    shutil.rmtree(folder / ".specc")
    write(folder, OLD)  # nothing was edited
    shutil.rmtree(folder / ".specc")
    (folder / "train.py").write_text(MINE)
    before = tree(folder)
    with pytest.raises(UserError, match=r"without .*\.specc nobody can tell how: train.py"):
        write(folder, OLD)
    assert tree(folder) == before
    assert write(folder, OLD, adopt=True).paths("adopted") == ("train.py",)
    assert visible(folder) == OLD | {"train.py": MINE}
    write(folder, NEW)
    assert visible(folder)["train.py"] == "LR = 0.2\nSEED = 9  # mine\n"


def test_a_failed_first_build_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("MINE = 1\n")
    with pytest.raises(UserError):
        write(tmp_path, OLD)
    assert [it.name for it in tmp_path.iterdir()] == ["train.py"]


def test_an_edited_file_that_is_no_text_stops_the_build(folder: Path) -> None:
    (folder / "train.py").write_bytes(b"LR = 0.1\nSEED = 1  # \xe9\n")
    assert write(folder, OLD).paths("edited") == ("train.py",)
    with pytest.raises(UserError, match="train.py: not UTF-8 text"):
        write(folder, NEW)


def test_a_dry_run_says_it_all_and_writes_nothing(folder: Path) -> None:
    (folder / "train.py").write_text("LR = 0.5\nSEED = 1\n")
    before = tree(folder)
    changes = write(folder, NEW, dry_run=True)
    assert tree(folder) == before
    assert changes.conflicts == ["train.py:1"]
    assert str(changes).splitlines()[0] == f"{folder}: 2 files to be written, 1 unchanged"
    missing = folder / "not/there"
    assert write(missing, NEW, dry_run=True).paths("written") == tuple(sorted(NEW))
    assert not missing.exists()


# ---- what is remembered ----


def test_a_project_of_an_older_specc_is_brought_up_to_date(folder: Path) -> None:
    lock = folder / ".specc/lock.json"
    kept = json.loads(lock.read_text())
    lock.write_text(json.dumps({"version": "0.0.1", "files": kept["files"]}))
    (folder / "train.py").write_text(MINE)
    write(folder, NEW)
    assert visible(folder) == NEW | {"train.py": "LR = 0.2\nSEED = 9  # mine\n"}
    assert json.loads(lock.read_text())["version"] == __version__


def test_a_project_of_a_newer_specc_is_left_alone(folder: Path) -> None:
    lock = folder / ".specc/lock.json"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"format": 9, "version": "7.1"}))
    before = tree(folder)
    with pytest.raises(UserError, match=r"of specc 7\.1"):
        write(folder, NEW)
    assert tree(folder) == before


ODD = [
    {"files": {"train.py": 5}},
    {"renamed": {"train.py": 3}},
    {"conflicts": [None]},
    {"language": "2"},
    {"spec": 5},
    {"version": None},
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_in_a_lock_stop_the_build(folder: Path, odd: dict[str, object]) -> None:
    lock = folder / ".specc/lock.json"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | odd))
    with pytest.raises(UserError, match=rf"lock\.json: damaged.*\({next(iter(odd))}.*: Input"):
        write(folder, NEW)


def test_a_plan_that_was_edited_is_given_up(folder: Path) -> None:
    (folder / ".specc/ready").mkdir()
    (folder / ".specc/ready/plan.json").write_text('{"steps": [{"path": 3}]}')
    with pytest.raises(UserError, match=r"plan\.json: damaged; remove .*ready"):
        write(folder, NEW)


@pytest.mark.parametrize("text", ["", "<<<<<<< mine", "[]", "{}", '{"files": 1}'])
def test_a_damaged_lock_stops_the_build(folder: Path, text: str) -> None:
    (folder / ".specc/lock.json").write_text(text)
    before = tree(folder)
    with pytest.raises(UserError, match=r"lock\.json: damaged"):
        write(folder, NEW)
    assert tree(folder) == before


def test_a_pristine_copy_that_was_changed_stops_the_build(folder: Path) -> None:
    (folder / ".specc/base/train.py.base").write_text("LR = 3\n")
    with pytest.raises(UserError, match=r"train\.py\.base was changed"):
        write(folder, NEW)


def test_other_line_endings_of_pristine_copies_do_not_matter(folder: Path) -> None:
    for name, text in OLD.items():  # as git may check them out
        (folder / ".specc/base" / f"{name}.base").write_bytes(text.replace("\n", "\r\n").encode())
    write(folder, NEW)
    assert visible(folder) == NEW


# ---- builds that are interrupted, or not alone ----


def in_a_fork(action: Callable[[], object]) -> int:
    """Do something in a process of its own; its exit code, or less than 0 if it is killed."""
    child = os.fork()
    if not child:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(number: int, folder: Path, files: dict[str, str]) -> bool:
    """Build in a process that the system kills at a call that touches files; False if it ends."""

    calls = itertools.count(1)

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if next(calls) > number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    def build() -> None:
        for owner, names in [
            (os, ("replace", "rename", "unlink", "rmdir", "mkdir")),
            (Path, ("write_bytes", "chmod")),
        ]:
            for name in names:
                setattr(owner, name, counted(getattr(owner, name)))
        write(folder, files)

    code = in_a_fork(build)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_a_build_that_is_killed_anywhere_leaves_the_old_or_is_finished(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "train.py").write_text(MINE)
    merged = NEW | {"train.py": "LR = 0.2\nSEED = 9  # mine\n"}
    outcomes = {"old": 0, "between": 0, "new": 0}
    for number in range(1000):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(folder, copy)
        if not killed_at(number, copy, NEW):
            break
        if visible(copy) == OLD | {"train.py": MINE}:
            outcomes["old"] += 1
        else:
            outcomes["new" if visible(copy) == merged else "between"] += 1
        # Whatever is built next, the project is whole, and the edit is there.
        write(copy, NEW)
        assert visible(copy) == merged
        assert bases(copy) == NEW
        write(copy, OLD)
        assert visible(copy) == OLD | {"train.py": MINE}
        assert not (copy / ".specc/ready").exists() and not (copy / ".specc/new").exists()
    assert min(outcomes.values()) > 1, outcomes


def test_an_edit_after_a_build_that_was_killed_is_not_lost(folder: Path, tmp_path: Path) -> None:
    for number in range(1000):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(folder, copy)
        if not killed_at(number, copy, NEW):
            break
        (copy / "train.py").write_text((copy / "train.py").read_text() + "MINE = 1\n")
        (copy / "data.py").write_text("SIZE = 64  # mine\n")
        mine = {"train.py": f"{NEW['train.py']}MINE = 1\n", "data.py": "SIZE = 64  # mine\n"}
        try:
            write(copy, NEW)
        except UserError as error:  # where data.py was removed, and the owner wrote another
            assert "data.py" in str(error)
            mine["train.py"] = (copy / "train.py").read_text()
        assert (copy / "data.py").read_text() == mine["data.py"]
        assert (copy / "train.py").read_text() == mine["train.py"]
    assert number > 15


def test_two_builds_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    texts = [{f"f{i}.py": f"A = {i}\nN = {n}\n" for i in range(30)} for n in range(6)]
    script = """
import json, sys
from pathlib import Path
from specc.project.write import write
files = json.load(open(sys.argv[1]))
for _ in range(5):
    write(Path("out"), files)
"""
    processes = []
    for number, files in enumerate(texts):
        (tmp_path / f"{number}.json").write_text(json.dumps(files))
        command = [sys.executable, "-c", script, f"{number}.json"]
        processes.append(subprocess.Popen(command, cwd=tmp_path))
    assert [process.wait() for process in processes] == [0] * len(texts)
    assert visible(tmp_path / "out") in texts
    assert visible(tmp_path / "out") == bases(tmp_path / "out")


def test_a_full_disk_leaves_the_project_as_it_was(folder: Path) -> None:
    before = tree(folder)
    large = NEW | {"model.py": "A = 1\n" * 10_000}

    def build() -> None:
        # No file may become longer, which is how a process meets a full disk or its quota.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        with pytest.raises(OSError, match="File too large"):
            write(folder, large)

    assert in_a_fork(build) == 0
    assert tree(folder) == before
    write(folder, large)
    assert visible(folder) == large


def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, OLD)
    before = tree(folder)

    def build() -> None:
        if os.geteuid() == 0:  # to whom no folder is closed
            for path in [*folder.rglob("*"), *folder.parents]:
                if not path.stat().st_mode & 0o004:
                    path.chmod(0o755)
            os.seteuid(65534)
        with pytest.raises(PermissionError):
            write(folder, NEW)

    for path in [folder, folder / ".specc"]:
        path.chmod(0o555)
    assert in_a_fork(build) == 0
    for path in [folder, folder / ".specc"]:
        path.chmod(0o755)
    assert tree(folder) == before


def test_a_build_waits_for_one_that_is_going_on(folder: Path) -> None:
    done: list[Changes] = []
    builds = [threading.Thread(target=lambda: done.append(write(folder, NEW))) for _ in range(4)]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert sorted(len(it.paths("unchanged")) for it in done) == [1, 3, 3, 3]
