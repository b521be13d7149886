"""The differences between a project as it was generated, as it is, and as a build would have it.

They are patches in git's format: `git apply` takes them in the project's folder.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.project.merge import rows
from specc.project.state import FOLDER, State, read_state
from specc.project.steps import Step, owners_names
from specc.source.diagnostics import UserError

COLORS = {"diff": "1", "---": "1", "+++": "1", "@@": "36", "+": "32", "-": "31", "#": "33"}


@dataclass(frozen=True)
class FileDiff:
    """A file before and after; None where it is not."""

    old_path: str
    new_path: str
    old: str | None
    new: str | None

    def patch(self) -> str:
        """Return the difference in git's format, with three lines around each change."""
        old, new = f"a/{self.old_path}", f"b/{self.new_path}"
        lines = [f"diff --git {_quoted(old)} {_quoted(new)}\n"]
        if self.old is None:
            lines.append(f"new file mode {_mode(self.new)}\n")
        elif self.new is None:
            lines.append(f"deleted file mode {_mode(self.old)}\n")
        elif self.old_path != self.new_path:
            lines.append(f"rename from {_quoted(self.old_path)}\n")
            lines.append(f"rename to {_quoted(self.new_path)}\n")
        hunks = difflib.unified_diff(
            rows(self.old or ""),
            rows(self.new or ""),
            "/dev/null" if self.old is None else _named(old),
            "/dev/null" if self.new is None else _named(new),
        )
        for line in hunks:
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
        return "".join(lines)


def known(folder: Path) -> State:
    """Read the state that a project's last build left.

    Raises:
        UserError: if no project is there, or what was generated is not known.
    """
    if not (folder / FOLDER / "lock.json").exists():
        raise UserError(f"{folder}: no project that specc built, as it has no {FOLDER}/lock.json")
    return read_state(folder)


def edits(folder: Path) -> list[FileDiff]:
    """Return the owner's edits of the generated files.

    Raises:
        UserError: if no project is there, or what was generated is not known.
    """
    state = known(folder)
    renamed = owners_names(folder, state)
    found = []
    for path, base in sorted(state.base.items()):
        name = renamed.get(path, path)
        now = _read(folder / name)
        if now != base or name != path:
            found.append(FileDiff(path, name, base, now))
    return found


def coming(folder: Path, steps: Sequence[Step]) -> list[FileDiff]:
    """Return the changes that a build of those steps would make in the project."""
    found = []
    for step in steps:
        now = _read(folder / step.target)
        if step.removes:
            found.append(FileDiff(step.target, step.target, now, None))
        elif step.content is not None:
            found.append(FileDiff(step.target, step.target, now, step.content.decode()))
    return found


def colored(text: str) -> Iterator[str]:
    """Yield the lines of a patch with a terminal's colours."""
    for line in text.splitlines():
        color = next((code for start, code in COLORS.items() if line.startswith(start)), "")
        yield f"\x1b[{color}m{line}\x1b[m" if color else line


def _read(file: Path) -> str | None:
    return file.read_bytes().decode(errors="surrogateescape") if file.is_file() else None


def _mode(text: str | None) -> str:
    return "100755" if text and text.startswith("#!") else "100644"


def _quoted(path: str) -> str:
    odd = not path.isprintable() or {*path} & {*'"\\'}
    return json.dumps(path, ensure_ascii=False) if odd else path


def _named(path: str) -> str:
    """Return a path in a line of its own, of which git has to know where it ends."""
    return f"{_quoted(path)}\t" if " " in path else _quoted(path)
