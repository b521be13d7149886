"""The steps of a build, one for each file, decided before anything is written."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from specc.project.broken import broken, needed
from specc.project.merge import Matcher, chosen, conflicts, like, merge, plain
from specc.project.state import FOLDER, State, digest
from specc.source.diagnostics import UserError

SIMILAR = 0.6  # of two texts, from which on one is the other renamed
LARGEST = 1_000_000  # bytes of a file that may be a renamed one
SAID = {  # the kinds of steps, and what a build says of them
    "merged": "merged with your edits",
    "edited": "edited by you, left as they are",
    "removed": "no longer generated, removed",
    "kept": "no longer generated, kept as you edited them",
    "left_out": "deleted by you, left out",
    "adopted": "other than generated, from now on your edits",
}


@dataclass(frozen=True)
class Step:
    """The outcome for one file."""

    kind: str  # "written", "unchanged", "conflict", "gone", or one of SAID
    path: str  # as it is generated
    target: str  # where it is in the project, if its owner renamed it
    seen: str | None  # the digest of what is there, None if nothing is
    content: bytes | None = None  # what is written there, if anything
    base: str | None = None  # what counts as generated from now on, if that changes
    broken: tuple[str, ...] = ()  # what no longer works in a file with edits

    @property
    def removes(self) -> bool:
        """Whether the file goes."""
        return self.kind == "removed"

    @property
    def forgets(self) -> bool:
        """Whether it no longer counts as generated."""
        return self.kind in ("removed", "gone")


def plan_steps(
    folder: Path, state: State, files: Mapping[str, str], *, adopt: bool
) -> tuple[list[Step], dict[str, str]]:
    """Return the steps of a build of `files`, and what the owner renamed.

    Args:
        adopt: whether files whose generated form is not known count as edited, as they are.

    Raises:
        UserError: if files that are not known to be generated would be overwritten, conflicts of
            an earlier build are not resolved, or an edited file is no text; names them.
    """
    _check_resolved(folder, state)
    renamed = owners_names(folder, state, files)
    origins = _origins(folder, state, files, renamed)
    steps = []
    foreign = []
    for path in sorted({*files, *state.base}):
        target = renamed.get(path, path)
        yours = _read(folder / target)
        if path in origins:
            old = renamed.get(origins[path], origins[path])
            text = _text(folder / old, _read(folder / old) or b"")
            steps.append(_merged(path, path, None, state.base[origins[path]], text, files[path]))
        elif path in origins.values():
            steps.append(Step("removed", path, target, _digest(yours)))
        elif step := _step(folder, path, target, yours, state.base.get(path), files.get(path)):
            steps.append(step)
        elif adopt:
            steps.append(Step("adopted", path, target, _digest(yours), base=files[path]))
        else:
            foreign.append(target)
    if foreign:
        known = (
            f"are not of {folder}'s last build"
            if state.base
            else f"may be edited, but without {folder / FOLDER} nobody can tell how"
        )
        raise UserError(
            f"{folder}: not built, as these files are in the way and {known}: "
            f"{', '.join(foreign)}. Move them away, build into another folder with -o, or "
            "build with --adopt: then they stay as they are, and count as edited by you."
        )
    return steps, renamed


def _step(
    folder: Path, path: str, target: str, yours: bytes | None, base: str | None, new: str | None
) -> Step | None:
    """Decide on a file; None if the file is not known to be generated."""
    seen = _digest(yours)
    if yours is None:
        if new is None:
            return Step("gone", path, target, seen)
        if base is not None:
            return Step("left_out", path, target, seen)
        return Step("written", path, target, seen, new.encode(), new)
    if new is None:
        kept = base is None or yours != base.encode()
        return Step("kept" if kept else "removed", path, target, seen)
    if yours == new.encode():
        return Step("unchanged", path, target, seen, base=new)
    if base is None:
        return None
    if new == base:
        faults = _faults("edited", target, yours.decode(errors="replace"), base)
        return Step("edited", path, target, seen, broken=faults)
    return _merged(path, target, seen, base, _text(folder / target, yours), new)


def _merged(path: str, target: str, seen: str | None, base: str, yours: str, new: str) -> Step:
    text = merge(base, yours, new, python=path.endswith(".py"))
    kind = "merged"
    if conflicts(text):
        kind = "conflict"
    elif text == like(yours, new):
        kind = "written"
    elif text == yours and seen is not None:
        faults = _faults("edited", target, text, base)
        return Step("edited", path, target, seen, base=new, broken=faults)
    return Step(kind, path, target, seen, text.encode(), new, _faults(kind, target, text, yours))


def _faults(kind: str, target: str, text: str, before: str) -> tuple[str, ...]:
    """Return what no longer works in a file with edits; in a conflict, if these are chosen."""
    if not target.endswith(".py"):
        return ()
    if kind == "conflict":
        if names := needed(chosen(text), before):
            return (f"{target}: your lines use {', '.join(names)}, which the new code lacks",)
        return ()
    return tuple(broken(target, text, before)) if kind in ("merged", "edited") else ()


def _check_resolved(folder: Path, state: State) -> None:
    left = []
    for path in state.conflicts:
        target = state.renamed.get(path, path)
        text = (_read(folder / target) or b"").decode(errors="replace")
        left += [f"{target}:{line}" for line in conflicts(text)]
    if left:
        raise UserError(
            f"{folder}: not built, as the last build left conflicts that are still there: "
            f"{', '.join(left)}. Write what is right between <<<<<<< and >>>>>>>, and build again."
        )


# ---- files that were renamed ----


def owners_names(folder: Path, state: State, files: Iterable[str] = ()) -> dict[str, str]:
    """Find where the owner moved generated files to: as recorded, or else by likeness.

    Args:
        files: what is generated now, which none of them is.
    """
    renamed = {path: it for path, it in state.renamed.items() if (folder / it).is_file()}
    for path in state.base:
        if path not in renamed and not (folder / path).exists():
            known = {*files, *state.base, *renamed.values()}
            others = _texts(folder, Path(path).suffix, known)
            if found := _most_like(state.base[path], others):
                renamed[path] = found
    return renamed


def _origins(
    folder: Path, state: State, files: Mapping[str, str], renamed: Mapping[str, str]
) -> dict[str, str]:
    """Pair new files with earlier, edited ones that a newer specc calls by other names."""
    origins: dict[str, str] = {}
    for path, text in files.items():
        if path in state.base or (folder / path).exists():
            continue
        old = {
            it: base
            for it, base in state.base.items()
            if it not in files and it not in origins.values()
            if (folder / renamed.get(it, it)).is_file() and Path(it).suffix == Path(path).suffix
        }
        if found := _most_like(text, old):
            origins[path] = found
    return origins


def _texts(folder: Path, suffix: str, known: set[str]) -> dict[str, str]:
    """Return the owner's own files with such a name, outside of hidden folders."""
    texts = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [it for it in folders if not it.startswith(".")]
        for name in names:
            file = Path(parent, name)
            path = file.relative_to(folder).as_posix()
            if file.suffix == suffix and path not in known and file.stat().st_size < LARGEST:
                texts[path] = plain(file.read_bytes().decode(errors="replace"))
    return texts


def _most_like(text: str, others: Mapping[str, str]) -> str | None:
    rows = text.splitlines()
    shares = {
        path: Matcher(None, rows, other.splitlines()).ratio() for path, other in others.items()
    }
    best = max(shares, key=lambda path: shares[path], default=None)
    return best if best is not None and shares[best] >= SIMILAR else None


# ---- files as they are ----


def _read(file: Path) -> bytes | None:
    if not file.exists():
        return None
    if not file.is_file():
        raise UserError(f"{file}: in the way, as it is a folder; move it away")
    return file.read_bytes()


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file}: not UTF-8 text, so that it cannot be merged with what the spec asks for; "
            "save it as that"
        ) from error


def _digest(content: bytes | None) -> str | None:
    return None if content is None else digest(content)


def said(steps: list[Step]) -> Iterator[str]:
    """Yield a build's messages about its steps, beside the written files."""
    for kind, text in SAID.items():
        if targets := [step.target for step in steps if step.kind == kind]:
            yield f"{text}: {', '.join(targets)}"
    moved = [f"{step.path} is {step.target}" for step in steps if step.path != step.target]
    if moved:
        yield f"renamed by you: {', '.join(moved)}"
