"""A generated file beside another version of it, line by line."""

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from specc.project.merge import Matcher
from specc.render import finished, without_unused_imports


@dataclass(frozen=True)
class Hunk:
    """Lines, counted from 1, that are others in the other version."""

    first: int
    last: int  # the one before `first` where lines are only added, which is after this one
    new: tuple[str, ...]

    @property
    def adds(self) -> bool:
        return self.last < self.first

    @property
    def marks(self) -> set[tuple[int, bool]]:
        """The lines, and whether they are only followed by new ones."""
        lines = [self.last] if self.adds else range(self.first, self.last + 1)
        return {(line, self.adds) for line in lines}


class Page:
    """A file of a project: its draft, which is quickly made, and its text."""

    def __init__(self, path: str, draft: str) -> None:
        self.path = path
        self.draft = draft

    @cached_property
    def lines(self) -> list[str]:
        """As they are in the project."""
        return lines(finished(self.path, self.draft))

    @cached_property
    def _rough(self) -> list[str]:
        return lines(self._tidy(self.draft))

    def _tidy(self, draft: str) -> str:
        return without_unused_imports(draft) if self._is_code else draft

    @property
    def _is_code(self) -> bool:
        return Path(self.path).suffix == ".py"

    def rough_hunks(self, draft: str) -> list[Hunk]:
        """Return where another draft differs, in lines of this draft; quickly made."""
        return hunks(self._rough, lines(self._tidy(draft))) if draft != self.draft else []

    def hunks(self, draft: str) -> list[Hunk]:
        """Return where another draft differs once it is finished, in lines of the text."""
        return hunks(self.lines, lines(finished(self.path, draft)))

    def may_change(self, rough: Iterable[Hunk], first: int, last: int) -> bool:
        """Return whether these lines of the text may be others, where the draft is as it says."""
        start, end = self._in_draft(first, last)
        return any(it.first <= end + it.adds and it.last >= start - it.adds for it in rough)

    def _in_draft(self, first: int, last: int) -> tuple[int, int]:
        """Return the lines of the draft that lines of the text come from, or a few more."""
        if not self._is_code:
            return first, last
        text, draft = self._anchors
        # How many empty lines there are depends on what stands around them.
        around = not all(self.lines[first - 1 : last])
        before = bisect_right(text, first) - 1
        after = bisect_left(text, last + 1)
        start = draft[before] if before >= 0 else 1
        end = draft[after] - 1 if after < len(draft) else len(self._rough)
        return start - around, max(start, end) + around

    @cached_property
    def _anchors(self) -> tuple[list[int], list[int]]:
        """Lines of the text where statements begin or have ended, and the same of the draft.

        Formatting moves lines, but it neither adds nor takes away statements.
        """
        pairs = sorted(zip(_bounds(self.lines), _bounds(self._rough), strict=True))
        return [line for line, _ in pairs], [line for _, line in pairs]


def _bounds(code: Sequence[str]) -> list[int]:
    nodes = [it for it in ast.walk(ast.parse("\n".join(code))) if isinstance(it, ast.stmt)]
    return [line for it in nodes for line in (it.lineno, (it.end_lineno or it.lineno) + 1)]


def lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """Return the edits that make `new` of `old`."""
    return [
        Hunk(i + 1, end, tuple(new[j:until]))
        for what, i, end, j, until in Matcher(None, old, new).get_opcodes()
        if what != "equal"
    ]


def origins(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Return the lines of `new` that are from `old`, and which they are there, counted from 1."""
    return {
        block.b + offset + 1: block.a + offset + 1
        for block in Matcher(None, old, new).get_matching_blocks()
        for offset in range(block.size)
    }
