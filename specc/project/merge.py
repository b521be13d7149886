"""Three-way merge: what was generated, what its owner made of it, and what is generated now.

Python is merged by statements, and two that say the same are the same however they are laid out:
a file that another formatter went over is not edited. What then collides, and every other file,
is merged by lines.
"""

import ast
import difflib
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import black
from merge3 import Merge3

from specc.project.blocks import moved

YOURS, MIDDLE, NEW = "<<<<<<< yours\n", "=======\n", ">>>>>>> generated\n"


class Matcher(difflib.SequenceMatcher[str]):
    """Compares in full: also what comes often, as empty lines."""

    def __init__(
        self, isjunk: None = None, a: Sequence[str] = "", b: Sequence[str] = "", _: bool = False
    ) -> None:
        super().__init__(None, a, b, autojunk=False)


@dataclass(frozen=True)
class Unit:
    """A piece of a text that is kept, changed or deleted as a whole."""

    key: str  # equal for units that say the same
    text: str


def merge(base: str, yours: str, new: str, *, python: bool) -> str:
    r"""Return the text with the changes from `base` to `yours` and those from `base` to `new`.

    Where both change the same lines, both versions stand between git's conflict markers. The line
    endings, the byte order mark and the missing end of the last line of `yours` are kept.
    """
    text = plain(yours)
    if text == base:
        merged = new
    elif python and (by_statements := _merged_statements(base, text, new)):
        merged = by_statements
    else:
        merged = "".join(_merged(lines(base), lines(text), lines(new)))
    return like(yours, merged)


def _merged_statements(base: str, yours: str, new: str) -> str:
    """Merge Python by statements; "" if one of the texts is no Python.

    Where a block was indented anew, a statement can match an equal one of another block, and what
    the owner wrote beside it would move there. Then only statements of equal blocks match, and
    changes that touch collide.
    """
    for strict in (False, True):
        pieces = [statements(text, in_blocks=strict) for text in (base, yours, new)]
        if not all(pieces):
            return ""
        merged = "".join(_merged(*pieces, touching=strict))
        if not moved((base, new), yours, merged):
            break
    return merged


def plain(text: str) -> str:
    """Normalise a text to what a build writes: no byte order mark, LF, and a last newline."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return text if text.endswith("\n") or not text else f"{text}\n"


def like(yours: str, text: str) -> str:
    """Return a plain text with what `plain` took from `yours`."""
    if yours and not yours.endswith("\n"):
        text = text.removesuffix("\n")
    if "\r\n" in yours:
        text = text.replace("\n", "\r\n")
    return f"\ufeff{text}" if yours.startswith("\ufeff") else text


def conflicts(text: str) -> list[int]:
    """Return the numbers of the lines, from 1, at which conflicts begin."""
    return [number for number, line in enumerate(rows(plain(text)), 1) if line == YOURS]


def chosen(text: str) -> str:
    """Return a text with its conflicts settled for what its owner wrote."""
    kept, side = [], ""
    for line in rows(plain(text)):
        if line in (YOURS, MIDDLE, NEW) and (side or line == YOURS):
            side = line if line != NEW else ""
        elif side != MIDDLE:
            kept.append(line)
    return "".join(kept)


def lines(text: str) -> list[Unit]:
    """Return a unit for each line; spaces at its end do not count."""
    return [Unit(line.rstrip(), line) for line in rows(text)]


def statements(text: str, *, in_blocks: bool = False) -> list[Unit]:
    """Return a unit for each statement, head of a block, comment and empty line of Python.

    Nothing if the text is no Python.

    Args:
        in_blocks: tell equal statements apart by the heads of the blocks that they are in.
    """
    physical = rows(text)
    units: list[Unit] = []
    heads: list[str] = []  # of the blocks that are open
    begun, meaning = 0, ""  # the row in which a statement began; the last statement's meaning
    try:
        ast.parse(text)  # an open bracket takes what follows, if one is closed somewhere
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row = token.start[0]
            if token.type == tokenize.INDENT:
                heads.append(meaning)
            elif token.type == tokenize.DEDENT:
                heads.pop()
            elif token.type == tokenize.NEWLINE:
                source = "".join(physical[begun - 1 : row])
                meaning = _meaning(source)
                block = "\n".join(heads) if in_blocks else len(heads)
                units.append(Unit(f"{block} {meaning}", source))
                begun = 0
            elif token.type == tokenize.NL and not begun:
                units.append(Unit(physical[row - 1].strip(), physical[row - 1]))
            elif token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER):
                begun = begun or row
    except (SyntaxError, ValueError, tokenize.TokenError):
        return []
    return units


def rows(text: str) -> list[str]:
    """Return the lines of a text with their ends."""
    return io.StringIO(text).readlines()  # str.splitlines also splits at form feeds


def _meaning(source: str) -> str:
    """Return the tokens of a statement or a block's head, with comments, whatever the layout."""
    tokens = list(tokenize.generate_tokens(io.StringIO(textwrap.dedent(source)).readline))
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    code = textwrap.dedent(source).rstrip()
    body = "def _(): pass" if code.startswith("@") else " pass"
    for candidate in (code, f"{code}\n{body}", f"if True: pass\n{code}\n pass"):
        try:
            return f"{ast.dump(ast.parse(candidate))} {comments}"
        except SyntaxError:
            continue
    left_out = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
    return str([token.string for token in tokens if token.type not in left_out])


def _merged(
    base: list[Unit], yours: list[Unit], new: list[Unit], *, touching: bool = False
) -> Iterator[str]:
    """Yield the merged text, in pieces.

    Args:
        touching: whether changes that touch collide.
    """
    keys = [[unit.key for unit in units] for units in (base, yours, new)]
    at = (0, 0, 0)
    # Its types overlook that difflib's Match is a tuple.
    merge3 = Merge3(keys[0], keys[1], keys[2], False, Matcher)  # type: ignore[arg-type]
    matches = merge3.find_sync_regions()
    for base_from, base_to, from_, to, new_from, new_to in matches:
        gap = (base[at[0] : base_from], yours[at[1] : from_], new[at[2] : new_from])
        yield from _chosen(*gap, touching=touching)
        yield from (unit.text for unit in yours[from_:to])
        at = (base_to, to, new_to)


@dataclass(frozen=True, order=True)
class Edit:
    """A replacement of base[begin:end] by `units`; an insertion if begin == end."""

    begin: int
    end: int
    units: list[Unit] = field(compare=False)


def _chosen(
    base: list[Unit], yours: list[Unit], new: list[Unit], *, touching: bool
) -> Iterator[str]:
    """Choose among units that are not the same in all three.

    Changes that touch are both made, where git would have them collide; it is settings in lines
    below each other that are changed most. Two insertions in one place collide, except for
    imports, whose order does not matter.
    """
    left = [list(_edits(base, side)) for side in (yours, new)]
    done = 0
    while left[0] or left[1]:
        first = min(edits[0] for edits in left if edits)
        begin, end = first.begin, first.end
        taken: list[list[Edit]] = [[], []]
        while sides := [
            s for s in (0, 1) if left[s] and _collide(left[s][0], first, end + touching)
        ]:
            edit = left[sides[0]].pop(0)
            taken[sides[0]].append(edit)
            end = max(end, edit.end)
        if taken[0] and taken[1]:  # below a conflict, an insertion could undo what is chosen there
            for side in (0, 1):
                if left[side] and left[side][0].begin == left[side][0].end == end:
                    taken[side].append(left[side].pop(0))
        yield from _texts(base[done:begin])
        now = [_applied(base, edits, begin, end) for edits in taken]
        if not any(edit.units for edits in taken for edit in edits):
            pass  # both delete, and so all of it goes
        elif taken[0] and taken[1]:
            yield from _settled(base[begin:end], *now)
        else:
            yield from _texts(now[0] if taken[0] else now[1])
        done = end
    yield from _texts(base[done:])


def _collide(edit: Edit, first: Edit, end: int) -> bool:
    """Return whether an edit belongs to those that begin with `first`, and so far go to `end`."""
    return edit.begin < end or (edit.begin, edit.end) == (first.begin, first.end)


def _edits(base: list[Unit], side: list[Unit]) -> Iterator[Edit]:
    """Yield the edits that make `side` of `base`.

    Units that were changed in place, such as settings below each other, are edits of their own.
    """
    matcher = Matcher(None, [unit.key for unit in base], [unit.key for unit in side])
    for kind, begin, end, from_, to in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = list(zip(base[begin:end], side[from_:to], strict=False))
        if end - begin == to - from_ and all(_same_subject(*pair) for pair in pairs):
            for offset, (_, unit) in enumerate(pairs, begin):
                yield Edit(offset, offset + 1, [unit])
        else:
            yield Edit(begin, end, side[from_:to])


# A line's indentation and first words: "    optimizer ", "LR ", "    if is_main".
SUBJECT = re.compile(r"\s*(?:\w+ )?[^\s=(:]*")


def _same_subject(old: Unit, new: Unit) -> bool:
    """Return whether `new` is `old` changed in place, rather than another statement."""
    return bool(SUBJECT.findall(old.text)[0] == SUBJECT.findall(new.text)[0])


def _applied(base: list[Unit], edits: list[Edit], begin: int, end: int) -> list[Unit]:
    """Return the units of the base from `begin` to `end` with edits of them."""
    units = []
    for edit in edits:
        units += [*base[begin : edit.begin], *edit.units]
        begin = edit.end
    return units + base[begin:end]


def _settled(base: list[Unit], yours: list[Unit], new: list[Unit]) -> Iterator[str]:
    """Merge units that both have changed: alike, as imports, by lines, or to a conflict."""
    if [unit.key for unit in yours] == [unit.key for unit in new]:
        yield from _texts(yours)
    elif not base and all(map(_imports, [*yours, *new])):
        yield from _texts(yours)
        yield from _texts([unit for unit in new if unit not in yours])
    elif names := _imported(base, yours, new):
        yield names
    else:
        by_lines = [lines("".join(_texts(units))) for units in (base, yours, new)]
        if len(base) == len(yours) == len(new) == 1 and by_lines != [base, yours, new]:
            yield from _merged(*by_lines)
        else:
            yield from (YOURS, *_texts(yours), MIDDLE, *_texts(new), NEW)


def _imported(base: list[Unit], yours: list[Unit], new: list[Unit]) -> str:
    """Merge an import of several names from a module, of which both sides add and remove some."""
    nodes = []
    for units in (base, yours, new):
        try:
            (node,) = ast.parse(textwrap.dedent("".join(_texts(units)))).body
        except (SyntaxError, ValueError):
            return ""
        if not isinstance(node, ast.ImportFrom) or any("#" in unit.text for unit in units):
            return ""
        nodes.append(node)
    if len({(node.module, node.level) for node in nodes}) > 1:
        return ""
    old, mine, theirs = ({ast.unparse(alias) for alias in node.names} for node in nodes)
    names = sorted((mine & theirs) | (mine - old) | (theirs - old))
    if not names:
        return ""
    indent = yours[0].text[: len(yours[0].text) - len(yours[0].text.lstrip())]
    line = f"from {'.' * nodes[1].level}{nodes[1].module or ''} import {', '.join(names)}"
    width = black.Mode().line_length - len(indent)
    return textwrap.indent(black.format_str(line, mode=black.Mode(line_length=width)), indent)


def _texts(units: Sequence[Unit]) -> list[str]:
    return [unit.text for unit in units]


def _imports(unit: Unit) -> bool:
    return unit.text.startswith(("import ", "from "))
