"""Read a spec, apply `extends` and `--set`, and keep where each key was written."""

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from specc.source.diagnostics import Diagnostic, Place, SpecError, show, wrong
from specc.source.document import Refuse, read_document
from specc.source.keys import Key, dotted, parts
from specc.source.versions import NEWEST, known, migrate


@dataclass(frozen=True)
class Source:
    """A spec as plain tables, lists and values, and where they were written."""

    tree: dict[str, Any]
    places: dict[Key, Place]
    path: Path  # the file that was read first
    notes: list[Diagnostic] = field(
        default_factory=list
    )  # what to write in the newest version, say

    def place(self, key: Key) -> Place:
        """Return the place of `key`, or else of the table that it belongs in."""
        for end in range(len(key), 0, -1):
            if found := self.places.get(key[:end]):
                return found
        return Place(str(self.path), 1, 1)


def read(path: Path, overrides: Sequence[str] = ()) -> Source:
    """Return the spec at `path`, on top of what it extends, with each `--set` of `overrides`.

    Raises SpecError, with all that is wrong at once: files that are missing or no valid
    TOML or JSON, `extends` that runs in a circle, overrides that fit nowhere.
    """
    source = Source({}, {}, path)
    problems: list[Diagnostic] = []
    try:
        with _collecting(problems):
            source = _merged(path, (), partial(wrong, Place(str(path)), ""))
        for override in overrides:
            with _collecting(problems):
                _assign(source, *_setting(override))
    except RecursionError:  # in a parser, or in a walk of ours over what it gave
        problems.append(Diagnostic(Place(str(path)), "", "is nested too deeply"))
    if problems:
        raise SpecError(problems)
    return source


@contextmanager
def _collecting(problems: list[Diagnostic]) -> Iterator[None]:
    try:
        yield
    except SpecError as error:
        problems += error.diagnostics


def _merged(path: Path, trail: tuple[Path, ...], refuse: Refuse) -> Source:
    """Return the file at `path` on top of its bases; `trail` is the files that led to it."""
    own = _newest(path, refuse)
    for index, earlier in enumerate(trail):
        if os.path.samefile(earlier, path):
            circle = " -> ".join(map(str, [*trail[index:], earlier]))
            raise refuse(f"files extend each other in a circle: {circle}")

    entries: dict[Key, Any]
    match own.tree.pop("extends", []):
        case list(listed):
            entries = {("extends", index): entry for index, entry in enumerate(listed)}
        case single:
            entries = {("extends",): single}
    problems: list[Diagnostic] = []
    layers = []
    for key, entry in entries.items():
        refuse = partial(wrong, own.place(key), dotted(key))
        with _collecting(problems):
            if not isinstance(entry, str):
                raise refuse("must be the name of a file, or a list of such names")
            layers.append(_merged(_beside(path, entry), (*trail, path), refuse))
    if problems:
        raise SpecError(problems)

    merged = Source({}, {}, path)
    for layer in [*layers, own]:
        _overlay(merged.tree, layer.tree, merged.places)
        merged.places.update(layer.places)
        merged.notes.extend(layer.notes)
    _forget(merged.places, ("extends",))
    _forget(merged.places, ("version",))
    return merged


def _newest(path: Path, refuse: Refuse) -> Source:
    """Return the file at `path` by itself, in the newest version of the language."""
    document = read_document(path, refuse)
    own = Source(document.tree, document.places, path)
    version = known(own.tree.pop("version", NEWEST), own.place(("version",)))
    for old, new, value in migrate(own.tree, version):
        message = f"of version {version}; write {new[-1]} = {show(value)}"
        own.notes.append(Diagnostic(own.place(old), dotted(old), message))
        if old in own.places:
            own.places[new] = own.places.pop(old)
    return own


def _beside(path: Path, entry: str) -> Path:
    """Return the file that `path` means by `entry`, from here if it is below here."""
    found = Path(os.path.normpath(path.parent / entry))
    absolute, here = Path(os.path.abspath(found)), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else found


def _overlay(
    tree: dict[str, Any], top: dict[str, Any], places: dict[Key, Place], at: Key = ()
) -> None:
    """Merge `top` into `tree` by tables; forget the places of what it replaces."""
    for name, value in top.items():
        old = tree.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _overlay(old, value, places, (*at, name))
        else:
            _forget(places, (*at, name))
            tree[name] = value


def _forget(places: dict[Key, Place], key: Key) -> None:
    for old in [old for old in places if old[: len(key)] == key]:
        del places[old]


def _setting(override: str) -> tuple[list[str], Any, Place]:
    """Return the key, the value and the place of a `--set`."""
    place = Place(f"--set {override}")
    refuse = partial(wrong, place, "")
    for equals in re.finditer("=", override):
        try:
            key = parts(override[: equals.start()])
            break
        except ValueError:
            continue  # this one may stand within a quoted key
    else:
        raise refuse("must be KEY=VALUE, e.g. optim.lr=0.1")
    if key[0] in ("extends", "version"):
        raise refuse(f"{key[0]} can be written in a file only")

    text = override[equals.end() :].strip()
    try:
        [value] = tomllib.loads(f"x = {text}").values()
    except ValueError:
        if text.startswith(("[", "{", '"', "'")):
            message = f"begins like a TOML array, table or string, but is none: {text}"
            raise wrong(place, dotted(tuple(key)), message) from None
        value = text
    return key, value, place


def _assign(source: Source, parts: list[str], value: Any, place: Place) -> None:
    """Put `value` in the place of what was there; make the tables it needs above it."""
    node: Any = source.tree
    key: Key = ()
    for depth, part in enumerate(parts, start=1):
        step: str | int = part
        if isinstance(node, list):
            if part not in map(str, range(len(node))):
                message = f'has no element "{part}"; its length is {len(node)}'
                raise wrong(place, dotted(key), f"{message}, counted from 0")
            step = int(part)
        elif not isinstance(node, dict):
            raise wrong(place, dotted(key), f'is not a table, so it has no "{part}"')
        key = (*key, step)
        last = depth == len(parts)
        if last or (isinstance(node, dict) and part not in node):
            _forget(source.places, key)
            source.places[key] = place
            node[step] = value if last else {}
        node = node[step]
