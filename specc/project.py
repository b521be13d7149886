"""A generated project on disk: what was written, what its owner edited, and safe rewriting.

Beside the files stands `.specc/`: the lock, with the digest of every file as it was written, and
`base/`, those files themselves (with a suffix of ours, so that no formatter or linter that is let
loose on the project takes them for code).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specc import __version__
from specc.diagnostics import UserError

STATE = ".specc"
SUFFIX = ".base"
KINDS = ("written", "unchanged", "edited", "removed", "kept", "left_out", "theirs", "gone")


@dataclass(frozen=True)
class Changes:
    """What a build does to the files of a project, by their paths in it."""

    folder: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    edited: tuple[str, ...]  # by the owner, while what is generated has not changed
    removed: tuple[str, ...]  # no longer generated, and never edited
    kept: tuple[str, ...]  # no longer generated, but edited
    left_out: tuple[str, ...]  # deleted by the owner, and so not written again

    def __str__(self) -> str:
        lines = [f"{self.folder}: {len(self.written)} files written"]
        if self.unchanged:
            lines[0] += f", {len(self.unchanged)} unchanged"
        if self.edited:
            lines.append(f"edited by you, left as they are: {', '.join(self.edited)}")
        if self.removed:
            lines.append(f"no longer generated, removed: {', '.join(self.removed)}")
        if self.kept:
            lines.append(f"no longer generated, kept as you edited them: {', '.join(self.kept)}")
        if self.left_out:
            lines.append(f"deleted by you, left out: {', '.join(self.left_out)}")
        return "\n".join(lines)


def write(folder: Path, files: Mapping[str, str]) -> Changes:
    """Bring a project up to date: all files, or none.

    Raises:
        UserError: if files that their owner edited or made would be overwritten; names them.
        OSError: if the folder cannot be written.
    """
    _finish(folder)
    changes = _changes(folder, files)
    new = folder / STATE / "new"
    shutil.rmtree(new, ignore_errors=True)
    for path, text in files.items():
        _write(new / "base" / f"{path}{SUFFIX}", text)
        _write(new / "files" / path, text)
    digests = {path: _digest(text.encode()) for path, text in sorted(files.items())}
    lock = {"version": __version__, "files": digests}
    _write(new / "lock.json", json.dumps(lock, indent=2) + "\n")
    # From this rename on the build counts as done: `_finish` completes it, now or next time.
    os.replace(new, folder / STATE / "ready")
    _finish(folder)
    return changes


def _changes(folder: Path, files: Mapping[str, str]) -> Changes:
    lock = folder / STATE / "lock.json"
    try:
        digests = dict(json.loads(lock.read_text())["files"]) if lock.exists() else {}
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{lock}: damaged, so that edits cannot be told; restore it, or build into another "
            "folder with -o"
        ) from error
    changes: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for path in sorted({*files, *digests}):
        changes[_kind(folder / path, files.get(path), digests.get(path))].append(path)
    if changes["theirs"]:
        raise UserError(
            f"{folder}: not built, as the spec asks for other versions of files that were edited "
            f"or made by hand: {', '.join(changes['theirs'])}. Build into another folder with -o, "
            "or move them away."
        )
    del changes["theirs"], changes["gone"]
    return Changes(folder, **{kind: tuple(paths) for kind, paths in changes.items()})


def _kind(target: Path, new: str | None, digest: str | None) -> str:
    """What becomes of a file: which of KINDS it is.

    Args:
        target: where it is.
        new: what it would be now, None if it is no longer generated.
        digest: of what was generated before, None if it was not.
    """
    if not target.exists():
        if new is None:
            return "gone"
        return "written" if digest is None else "left_out"
    now = target.read_bytes() if target.is_file() else None
    if new is not None and now == new.encode():
        return "unchanged"
    edited = now is None or _digest(now) != digest
    if new is None:
        return "kept" if edited else "removed"
    if not edited:
        return "written"
    return "edited" if _digest(new.encode()) == digest else "theirs"


def _finish(folder: Path) -> None:
    """Move the files of a build that is ready to their places; it does not matter how often.

    Raises:
        UserError: if it was interrupted, and the owner edited or made those files since then.
    """
    state = folder / STATE
    ready = state / "ready"
    base, lock = ready / "base", ready / "lock.json"
    if base.exists():  # else all files are in their places
        paths = json.loads(lock.read_text())["files"]
        texts = {path: (base / f"{path}{SUFFIX}").read_text(encoding="utf-8") for path in paths}
        changes = _changes(folder, texts)
        for path in changes.written:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(ready / "files" / path, folder / path)
        for path in changes.removed:
            (folder / path).unlink()
        shutil.rmtree(state / "base", ignore_errors=True)
        os.replace(base, state / "base")
    if lock.exists():
        os.replace(lock, state / "lock.json")
    if ready.exists():
        shutil.rmtree(ready)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    if text.startswith("#!"):
        path.chmod(0o755)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
