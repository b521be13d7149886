"""Which keys of a spec shape a line of its project, and which lines a key shapes.

Both are found by changing keys and building again, in memory, so that the answer is true whatever
the templates look like.
"""

import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specc import build
from specc.explain.alternatives import LeftOut, Option, changes, options
from specc.explain.pages import Hunk, Page, lines, origins
from specc.language.parse import parse
from specc.language.section import Section
from specc.project.state import FOLDER, read_state
from specc.render import draft
from specc.source.diagnostics import SpecError, UserError, nearest, show
from specc.source.keys import Key, dotted, parts
from specc.source.problems import Problems
from specc.source.read import Source, read
from specc.tasks import LANGUAGES
from specc.tasks.common.plan import Plan
from specc.tasks.common.remember import remembering

LARGE: set[Key] = {("task",), ("model", "name"), ("data", "format")}  # change most of a project
FEW = 2  # values of these, and of numbers, that are built
WIDTH = 100  # of a line that is shown
SHOWN = 8  # lines of a block that are shown
TAB = "    "


def explain(
    path: Path, what: str, overrides: Sequence[str] = (), output: Path | None = None
) -> str:
    """Return the answer, to be printed.

    Args:
        path: the spec.
        what: `FILE:LINE` or `FILE:FIRST-LAST`, or a key or table of the spec. The file is one of
            its project, or the path of one in a built project.
        overrides: `key=value`, as `--set` takes them.
        output: the folder of a built project, for the lines that its files have now.

    Raises:
        SpecError: with everything that is wrong with the spec.
        UserError: if there is no such line or key.
    """
    with remembering():
        return "\n".join(_explain(Search(read(path, overrides)), what, overrides, output))


@dataclass(frozen=True)
class Trial:
    """Another value of a key, and what is built with it."""

    value: Any
    plan: Plan


class Search:
    """A spec, its project, and how that would be with other values."""

    def __init__(self, source: Source) -> None:
        """Prepare the search; raises SpecError if the spec cannot be built as it is."""
        self.source = source
        self.plan = build.plan(source)
        spec = parse(source, LANGUAGES, Problems(source))
        assert spec is not None  # as there is a plan
        self.options = list(options(type(spec), spec))
        self._pages: dict[str, Page] = {}

    def page(self, path: str) -> Page:
        """Render one of the project's files."""
        if path not in self._pages:
            self._pages[path] = Page(path, draft(self.plan, path))
        return self._pages[path]

    def trials(self, option: Option) -> Iterator[Trial | SpecError]:
        """Build with other values of a key."""
        number = isinstance(option.value, int | float) and not isinstance(option.value, bool)
        left = FEW if number or option.key in LARGE else -1
        for value, tree in changes(option, self.source.tree):
            if left == 0 and (option.key in LARGE or value is not LeftOut.LEFT_OUT):
                continue
            try:
                trial = Trial(value, build.plan(replace(self.source, tree=tree)))
            except SpecError as error:
                yield error
                continue
            left -= 1
            yield trial

    def named(self, what: str, overrides: Sequence[str]) -> list[Option]:
        """Return the key of that name with those in it, or those of the table.

        Raises:
            UserError: if there is none.
        """
        wanted = re.sub(r"\[(\d+)\]", r".\1", what)
        names = {".".join(map(str, it.key)): it for it in self.options}
        inner = [it for name, it in names.items() if name.startswith(f"{wanted}.")]
        there = [it for it in inner if not it.absent]
        if wanted in names:
            return [names[wanted], *there]
        if inner:
            return there or inner
        try:
            parts(wanted)
        except ValueError:
            raise UserError(f"{what}: must be a key, e.g. optim.lr") from None
        try:
            build.plan(read(self.source.path, [*overrides, f"{wanted}=0"]))
        except SpecError as error:
            for it in error.diagnostics:
                if it.place.file.startswith("--set") and it.place.file.endswith(f" {wanted}=0"):
                    raise UserError(f"{it.key or what}: {it.message}") from None
        raise UserError(f"{what}: ask for the key that it is a part of")

    def told(self, option: Option) -> str:
        """Return a key, its value, and where that was written."""
        name, value = dotted(option.key), show(_plain(option.value))
        if place := self.source.places.get(option.key):
            return f"{name} = {value}  ({place})"
        if option.value is None or option.absent:
            return f"{name}  (not written)"
        return f"{name}  (not written; by default {value})"

    def rank(self, option: Option) -> tuple[bool, bool]:
        """Rank keys: those that the author wrote first, those that change everything last."""
        return option.key in LARGE, option.key not in self.source.places


def _explain(
    search: Search, what: str, overrides: Sequence[str], output: Path | None
) -> Iterator[str]:
    if found := re.fullmatch(r"(.+):(\d+)(?:-(\d+))?", what):
        file, asked = found[1], range(int(found[2]), int(found[3] or found[2]) + 1)
        if output is None and (output := _project(file)):
            file = os.path.relpath(file, output)
        yield from _explain_lines(search, _locate(search, file, asked, output))
        return
    if what in search.plan.files:
        raise UserError(f"{what}: which line of it? Write e.g. {what}:1")
    if output is not None:
        raise UserError("-o goes with FILE:LINE, e.g. train.py:40, not with a key")
    for option in sorted(search.named(what, overrides), key=search.rank):
        yield from _explain_key(search, option)


def _plain(value: Any) -> Any:
    """Return a value as a spec has it."""
    if isinstance(value, list):
        return [_plain(it) for it in value]
    return value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value


def _tried(value: Any) -> str:
    return "left out" if value is LeftOut.LEFT_OUT else show(value)


def _code(text: Sequence[str], depth: int = 2) -> list[str]:
    """Cut lines to be shown: not too wide, and not too many."""
    shown = [it if len(it) <= WIDTH else f"{it[: WIDTH - 1]}…" for it in text]
    if len(shown) > SHOWN:
        shown[SHOWN - 1 :] = [f"… {len(shown) - SHOWN + 1} more lines"]
    return [f"{TAB * depth}{it}".rstrip() for it in shown]


# ---- from lines to keys ----


@dataclass(frozen=True)
class Located:
    """Lines that are asked for."""

    path: str  # of the generated file
    title: str
    text: list[str]  # as they are shown
    lines: list[int]  # those of them that were generated, as they are there


def _locate(search: Search, file: str, asked: range, output: Path | None) -> Located:
    """Find lines in what is generated, or in a project that was built before.

    Raises:
        UserError: if there are no such lines.
    """
    path = os.path.normpath(file)
    if output is None:
        if path not in search.plan.files:
            names = {Path(it).name: it for it in search.plan.files}
            hint = nearest(names.get(Path(path).name, path), search.plan.files)
            hint = hint or f"; there are {', '.join(sorted(search.plan.files))}"
            raise UserError(f"{file}: no such file in the project{hint}")
        own = search.page(path).lines
        return Located(path, _title(file, asked), _cut(file, own, asked), list(asked))

    state = read_state(output)
    if not state.base:
        raise UserError(f"{output}: there is no project that specc built; leave out -o")
    path = {his: mine for mine, his in state.renamed.items()}.get(path, path)
    here = output / state.renamed.get(path, path)
    if not here.is_file():
        raise UserError(f"{here}: no such file{nearest(file, state.base)}")
    if path not in state.base:
        raise UserError(f"{here}: this file is yours; no build wrote it")
    if path not in search.plan.files:
        raise UserError(f"{here}: this spec builds no such file; it was built with another one")
    text = lines(here.read_text(encoding="utf-8", errors="replace"))
    shown = _cut(file, text, asked)
    built = lines(state.base[path])
    from_build = origins(built, text)
    from_spec = origins(search.page(path).lines, built)
    found = []
    for index, line in enumerate(asked):
        at = from_spec.get(from_build.get(line, 0))
        if at is not None:
            found.append(at)
        elif line in from_build:
            shown[index] += "  <- of another spec than this one; build again"
        else:
            shown[index] += "  <- this line is yours"
    return Located(path, _title(str(here), asked), shown, found)


def _project(file: str) -> Path | None:
    """Return the built project that a file is in, if it is in one."""
    folders = Path(file).parents if os.path.isfile(file) else ()
    return next((it for it in folders if (it / FOLDER).is_dir()), None)


def _title(file: str, asked: range) -> str:
    return f"{file}:{asked.start}" + (f"-{asked.stop - 1}" if len(asked) != 1 else "")


def _cut(file: str, text: list[str], asked: range) -> list[str]:
    if not 1 <= asked.start < asked.stop <= len(text) + 1:
        raise UserError(f"{_title(file, asked)}: its lines are 1 to {len(text)}")
    return text[asked.start - 1 : asked.stop - 1]


@dataclass(frozen=True)
class Hit:
    """A key that shapes lines, and an example of that."""

    option: Option
    value: Any
    hunk: Hunk | None  # None where the whole file would not be there


def _explain_lines(search: Search, located: Located) -> Iterator[str]:
    yield located.title
    yield from _code(located.text, 1)
    if not located.lines:
        return
    yield ""
    hits, unknown = [], []
    for option in search.options:
        if not option.absent:
            hit, varied = _hit(search, option, located)
            if hit:
                hits.append(hit)
            elif not varied and not isinstance(option.value, Section):  # its keys are tried
                unknown.append(dotted(option.key))
    inner = [it.option.key for it in hits if it.hunk]
    hits.sort(key=lambda it: (*search.rank(it.option), it.hunk is None or it.hunk.adds))
    for hit in hits:
        key = hit.option.key
        if not any(it[: len(key)] == key and it != key for it in inner):
            yield search.told(hit.option)
            yield from _example(hit, located)
    if not hits:
        yield "No key that was tried shapes this."
    if unknown:
        names = ", ".join(unknown)
        yield ""
        text = f"Not tried, as no other value of them builds here: {names}"
        yield from textwrap.wrap(text, WIDTH, subsequent_indent=TAB, break_on_hyphens=False)


def _hit(search: Search, option: Option, located: Located) -> tuple[Hit | None, bool]:
    """Return an example of a key's effect on lines, and whether another value builds at all."""
    page, first, last = search.page(located.path), min(located.lines), max(located.lines)
    found, varied = None, False
    seen: set[tuple[int, bool]] = set()
    for trial in search.trials(option):
        if isinstance(trial, SpecError):
            continue
        varied = True
        if located.path not in trial.plan.files:
            found = found or Hit(option, trial.value, None)
            continue
        text = draft(trial.plan, located.path)
        rough = page.rough_hunks(text)
        places = {mark for hunk in rough for mark in hunk.marks}
        if not places <= seen and page.may_change(rough, first, last):
            seen |= places  # where yet another value would hardly change other lines
            for hunk in page.hunks(text):
                if {line for line, _ in hunk.marks}.isdisjoint(located.lines):
                    continue
                if not hunk.adds:
                    return Hit(option, trial.value, hunk), True
                if not (found and found.hunk):
                    found = Hit(option, trial.value, hunk)
    return found, varied


def _example(hit: Hit, located: Located) -> list[str]:
    tried, hunk = _tried(hit.value), hit.hunk
    if hunk is None:
        return [f"{TAB}{tried}: then there is no {located.path}"]
    if hunk.adds:
        return [f"{TAB}{tried}: then lines come after it", *_code(hunk.new)]
    if not hunk.new:
        return [f"{TAB}{tried}: then it is gone"]
    new = hunk.new
    if len(new) == hunk.last - hunk.first + 1:  # line by line
        new = tuple(it for line, it in enumerate(new, hunk.first) if line in located.lines)
    return [f"{TAB}{tried}: then it is", *_code(new)]


# ---- from a key to lines ----


def _explain_key(search: Search, option: Option) -> Iterator[str]:
    yield search.told(option)
    marks: dict[str, set[tuple[int, bool]]] = {path: set() for path in search.plan.files}
    rough: dict[str, set[tuple[int, bool]]] = {path: set() for path in search.plan.files}
    files: dict[str, str] = {}
    varied, refused = False, ""
    for trial in search.trials(option):
        if isinstance(trial, SpecError):
            problem = trial.diagnostics[0]
            refused = refused or f"{problem.key}: {problem.message}"
            continue
        varied = True
        tried = _tried(trial.value)
        for path in search.plan.files:
            if path not in trial.plan.files:
                files.setdefault(path, f"there is no {path} if {tried}")
                continue
            page, text = search.page(path), draft(trial.plan, path)
            places = {mark for hunk in page.rough_hunks(text) for mark in hunk.marks}
            if not places <= rough[path]:  # else other lines are not to be expected
                rough[path] |= places
                marks[path] |= {mark for hunk in page.hunks(text) for mark in hunk.marks}
        for path in trial.plan.files:
            if path not in search.plan.files:
                files.setdefault(path, f"there is {path} as well if {tried}")
    for path, found in marks.items():
        yield from _blocks(search.page(path), found)
    yield from (f"{TAB}{it}" for it in files.values())
    if not varied:
        yield f"{TAB}not tried, as no other value of it builds here" + (
            f" ({refused})" * bool(refused)
        )
    elif not files and not any(marks.values()):
        yield f"{TAB}shapes nothing here"


def _blocks(page: Page, marks: set[tuple[int, bool]]) -> Iterator[str]:
    """Yield the lines that are marked, those that follow each other together."""
    changed = sorted(line for line, adds in marks if not adds)
    blocks: list[tuple[int, int, bool]] = []
    for line in changed:
        if blocks and blocks[-1][1] == line - 1:
            blocks[-1] = (blocks[-1][0], line, False)
        else:
            blocks.append((line, line, False))
    blocks += [(line, line, True) for line, adds in marks if adds and line not in changed]
    for first, last, adds in sorted(blocks):
        more = f"-{last}" if last > first else ""
        yield f"{TAB}{page.path}:{first}{more}" + "  (lines may come after it)" * adds
        yield from _code(page.lines[first - 1 : last])
