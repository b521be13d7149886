"""Write a project, or bring it up to date: all of it, or nothing.

What a build does is laid out in full in `.specc/new/`. One rename makes that `.specc/ready/`, and
from then on the build counts as done: its files are moved to their places now, or by the next
build, if this one is killed.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from specc.project.merge import conflicts
from specc.project.state import FOLDER, SUFFIX, State, base_path, digest, lock_text, read_state
from specc.project.steps import Step, plan_steps, said
from specc.source.diagnostics import UserError

WAIT = 60  # seconds, for another build of the same folder
IGNORED = "/build.lock\n/new/\n/ready/\n"  # of .specc, by git


@dataclass(frozen=True)
class Changes:
    """The changes that a build makes to the files of a project."""

    folder: Path
    steps: tuple[Step, ...]
    dry: bool = False

    def paths(self, kind: str) -> tuple[str, ...]:
        """Return the files, in the project, of which that becomes."""
        return tuple(step.target for step in self.steps if step.kind == kind)

    @property
    def conflicts(self) -> list[str]:
        """`file:line` of every conflict."""
        return [
            f"{step.target}:{line}"
            for step in self.steps
            if step.kind == "conflict" and step.content is not None
            for line in conflicts(step.content.decode())
        ]

    @property
    def broken(self) -> list[str]:
        """Messages about breakage in edited files, each beginning with the file."""
        return [fault for step in self.steps for fault in step.broken]

    def __str__(self) -> str:
        kinds = ("written", "merged", "conflict")
        written = sum(len(self.paths(kind)) for kind in kinds)
        unchanged = len(self.paths("unchanged"))
        lines = [f"{self.folder}: {written} files {'to be ' if self.dry else ''}written"]
        if unchanged:
            lines[0] += f", {unchanged} unchanged"
        lines += said(list(self.steps))
        if self.conflicts:
            lines.append(
                f"CONFLICTS, where your edits and the spec change the same lines: "
                f"{', '.join(self.conflicts)}. Write what is right between <<<<<<< and >>>>>>>."
            )
        lines += [f"BROKEN, with your edits: {it}" for it in self.broken]
        if self.dry:
            lines.append("nothing is written, as this is a dry run")
        return "\n".join(lines)


class _PlannedStep(BaseModel):
    model_config = ConfigDict(strict=True)

    path: str
    target: str
    seen: str | None
    removes: bool
    forgets: bool
    conflict: bool


class _Planned(BaseModel):
    """The content of `plan.json`, as the next build may have to read it."""

    model_config = ConfigDict(strict=True)

    spec: dict[str, Any] | None
    renamed: dict[str, str]
    steps: list[_PlannedStep]


def write(
    folder: Path,
    files: Mapping[str, str],
    spec: Mapping[str, Any] | None = None,
    *,
    adopt: bool = False,
    dry_run: bool = False,
) -> Changes:
    """Bring the project in `folder` up to date with `files`: path and text.

    Args:
        spec: what they were built from, to be remembered.
        adopt: whether files that are in the way count as edited by their owner, and stay.
        dry_run: only say what would be done.

    Raises:
        UserError: if what its owner edited or made would be lost; names the files.
        OSError: if the folder cannot be written.
    """
    if dry_run:
        if (folder / FOLDER / "ready").exists():
            raise UserError(f"{folder}: the last build was interrupted; build again to finish it")
        steps, _ = plan_steps(folder, read_state(folder), files, adopt=adopt)
        return Changes(folder, tuple(steps), dry=True)
    with _alone(folder):
        _finish(folder)
        steps, renamed = plan_steps(folder, read_state(folder), files, adopt=adopt)
        _lay_out(folder, steps, renamed, spec)
        _finish(folder)
    return Changes(folder, tuple(steps))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for other builds of this folder; leave none of ours behind where nothing was built."""
    state = folder / FOLDER
    there = folder.exists()
    state.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(state / "build.lock", timeout=WAIT):
            yield
    except Timeout:
        raise UserError(f"{folder}: another build of it has been going on for {WAIT} s") from None
    except BaseException:
        if not (state / "lock.json").exists() and not (state / "ready").exists():
            shutil.rmtree(folder if not there else state, ignore_errors=True)
        raise


def _lay_out(
    folder: Path, steps: list[Step], renamed: Mapping[str, str], spec: Mapping[str, Any] | None
) -> None:
    """Write all that a build needs, beside what is there."""
    new = folder / FOLDER / "new"
    shutil.rmtree(new, ignore_errors=True)
    try:
        _stage(new, folder, steps, renamed, spec)
        os.replace(new, folder / FOLDER / "ready")
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _stage(
    new: Path,
    folder: Path,
    steps: list[Step],
    renamed: Mapping[str, str],
    spec: Mapping[str, Any] | None,
) -> None:
    for step in steps:
        if step.base is not None:
            _write(new / "base" / f"{step.path}{SUFFIX}", step.base.encode())
        if step.content is not None:
            _write(new / "files" / step.target, step.content)
            _copy_mode(folder / step.target, new / "files" / step.target)
    planned = [
        _PlannedStep(
            path=step.path,
            target=step.target,
            seen=step.seen,
            removes=step.removes,
            forgets=step.forgets,
            conflict=step.kind == "conflict",
        )
        for step in steps
    ]
    plan = {"spec": spec, "renamed": renamed, "steps": [step.model_dump() for step in planned]}
    _write(new / "plan.json", json.dumps(plan, ensure_ascii=False, default=str).encode())


def _finish(folder: Path) -> None:
    """Finish the steps that are laid out; running this again does no harm.

    A file that was edited since then is left alone, as if it had had no part in that build.
    """
    state = folder / FOLDER
    ready = state / "ready"
    if (ready / "plan.json").exists():
        try:
            plan = _Planned.model_validate_json((ready / "plan.json").read_text(encoding="utf-8"))
        except ValueError as error:  # someone edited it
            message = f"{ready / 'plan.json'}: damaged; remove {ready} to give up the last build"
            raise UserError(message) from error
        conflicts = []
        for step in plan.steps:
            if _done(folder, ready, step) and step.conflict:
                conflicts.append(step.path)
        base = {}
        for file in sorted((state / "base").rglob(f"*{SUFFIX}")):
            path = file.relative_to(state / "base").as_posix().removesuffix(SUFFIX)
            base[path] = file.read_text("utf-8")
        lock = State(base, tuple(conflicts), plan.renamed, spec=plan.spec)
        _write(ready / ".gitignore", IGNORED.encode())
        _write(ready / "lock.json", lock_text(lock).encode())
        os.replace(ready / ".gitignore", state / ".gitignore")
        os.replace(ready / "lock.json", state / "lock.json")
        (ready / "plan.json").unlink()
    if ready.exists():
        shutil.rmtree(ready)


def _done(folder: Path, ready: Path, step: _PlannedStep) -> bool:
    """Do one step; False if the file was edited after it was planned."""
    target = folder / step.target
    source = ready / "files" / step.target
    base = ready / "base" / f"{step.path}{SUFFIX}"
    now = digest(target.read_bytes()) if target.is_file() else None
    if source.exists() or (step.removes and now is not None):
        if now != step.seen:
            return False
        if step.removes:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
    kept = base_path(folder, step.path)
    if base.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(base, kept)
    elif step.forgets:
        kept.unlink(missing_ok=True)
    return True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if content.startswith(b"#!"):
        path.chmod(0o755)


def _copy_mode(old: Path, new: Path) -> None:
    if old.is_file():
        shutil.copymode(old, new)
