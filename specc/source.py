"""Read a spec, apply `extends` and `--set`, and keep where each key was written."""

import codecs
import json
import os
import re
import tomllib
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tree_sitter_json
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from specc.diagnostics import Diagnostic, Place, SpecError, choices, nearest

Key = tuple[str | int, ...]  # ("data", "train_transforms", 0, "size")
Refuse = Callable[[str], SpecError]  # an error that knows its place and wants a message

SUFFIXES = (".toml", ".json")
JSON_STRING = r'"(?:[^"\\]|\\.)*"'
PLAINER = {  # what tomllib says of the two commonest slips
    "Invalid value": "invalid value; a string needs quotes",
    "Cannot overwrite a value": "this key already has a value",
}


@dataclass(frozen=True)
class Source:
    """A spec as plain tables, lists and values, and where they were written."""

    tree: dict[str, Any]
    places: dict[Key, Place]
    path: Path  # the file that was read first

    def place(self, key: Key) -> Place:
        """Where `key`, or else what it belongs in, was written."""
        for end in range(len(key), 0, -1):
            if found := self.places.get(key[:end]):
                return found
        return Place(str(self.path), 1, 1)


def read(path: Path, overrides: Sequence[str] = ()) -> Source:
    """The spec at `path`, on top of what it extends, with each `--set` of `overrides`.

    Raises SpecError, with all that is wrong at once: files that are missing or no valid
    TOML or JSON, `extends` that runs in a circle, overrides that fit nowhere.
    """
    source = Source({}, {}, path)
    problems: list[Diagnostic] = []
    try:
        with _collecting(problems):
            source = _merged(path, (), partial(_error, Place(str(path)), ""))
        for override in overrides:
            with _collecting(problems):
                _assign(source, *_setting(override))
    except RecursionError:  # in a parser, or in a walk of ours over what it gave
        problems.append(Diagnostic(Place(str(path)), "", "is nested too deeply"))
    if problems:
        raise SpecError(problems)
    return source


def dotted(key: Key) -> str:
    """The key as a user would write it: `data.train_transforms[0].size`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
            # TOML has all escapes of JSON, and wants one more.
            part = json.dumps(part, ensure_ascii=False).replace("\x7f", r"\u007f")
        text += f".{part}" if text else part
    return text


def _error(place: Place, key: str, message: str) -> SpecError:
    return SpecError([Diagnostic(place, key, message)])


@contextmanager
def _collecting(problems: list[Diagnostic]) -> Iterator[None]:
    try:
        yield
    except SpecError as error:
        problems += error.diagnostics


def _merged(path: Path, trail: tuple[Path, ...], refuse: Refuse) -> Source:
    """The file at `path` on top of its bases; `trail` is the files that led to it."""
    own = _document(path, refuse)
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
        refuse = partial(_error, own.place(key), dotted(key))
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
    _forget(merged.places, ("extends",))
    return merged


def _beside(path: Path, entry: str) -> Path:
    """The file that `path` means by `entry`, from here if it is below here."""
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


def _document(path: Path, refuse: Refuse) -> Source:
    """One file by itself."""
    file = str(path)
    toml = path.suffix == ".toml"
    text = _text(path, refuse)
    tree = _values(text, file, toml)
    problems = [] if toml else list(_let_through(text, file))
    if not isinstance(tree, dict):
        message = "must be an object, { ... }, at the top"
        problems.append(Diagnostic(Place(file, 1, 1), "", message))

    places: dict[Key, Place] = {}
    repeated = set()
    for key, place in _written(text, file, toml):
        first = places.setdefault(key, place)
        if first is not place and not toml:  # tomllib knows what may be repeated
            repeated.add(key)
            if key[:-1] not in repeated:  # else its parent is what is wrong
                message = f"is written twice, first at {first}"
                problems.append(Diagnostic(place, dotted(key), message))
    if problems:
        raise SpecError(problems)
    return Source(tree, places, path)


def _text(path: Path, refuse: Refuse) -> str:
    if path.suffix not in SUFFIXES and os.path.isfile(path):
        raise refuse(f'"{path}" is no spec: its name must end in {choices(SUFFIXES)}')
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        names = sorted(it.name for it in path.parent.glob("*") if it.suffix in SUFFIXES)
        raise refuse(f'no file "{path}"{nearest(path.name, names)}') from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise refuse(f'cannot read "{path}": {reason.lower()}') from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = _place_at(str(path), data[: error.start].decode())
        message = f"not UTF-8 text (byte {data[error.start]:#x})"
        raise _error(place, "", message) from None


def _place_at(file: str, before: str) -> Place:
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _values(text: str, file: str, toml: bool) -> Any:
    try:
        return tomllib.loads(text) if toml else json.loads(text)
    except ValueError as error:
        place, message = Place(file, 1, 1), str(error)
        if isinstance(error, json.JSONDecodeError):
            place = Place(file, error.lineno, error.colno)
            message = re.sub(" at$", " here", error.msg)
        elif isinstance(error, tomllib.TOMLDecodeError):
            message, _, where = message.rpartition(" (at ")
            if found := re.fullmatch(r"line (\d+), column (\d+)\)", where):
                place = Place(file, int(found[1]), int(found[2]))
            else:
                place = _place_at(file, text.rstrip())
            message = PLAINER.get(message, message)
            if message.startswith("Cannot"):  # "Cannot declare ('a', 'b') twice"
                key = re.compile(r"\(.*\)")
                message = key.sub(lambda it: dotted(literal_eval(it[0])), message)
    message = message[0].lower() + message[1:]
    raise _error(place, "", f"not valid {'TOML' if toml else 'JSON'}: {message}")


def _let_through(text: str, file: str) -> Iterator[Diagnostic]:
    """What Python's parser takes for JSON, and JSON or UTF-8 does not."""
    for token in re.finditer(rf"{JSON_STRING}|-?Infinity|NaN", text):
        place = _place_at(file, text[: token.start()])
        if not token[0].startswith('"'):
            yield Diagnostic(place, "", f"not valid JSON: there is no {token[0]} in it")
        elif re.search("[\ud800-\udfff]", json.loads(token[0])):
            yield Diagnostic(place, "", "not valid JSON: half a \\u surrogate pair")


def _written(text: str, file: str, toml: bool) -> Iterator[tuple[Key, Place]]:
    """The keys and array elements of a valid document, as it goes on.

    A dotted key and each of its parents have one place, and a key may come again.
    """
    data = text.encode()
    lines = data.split(b"\n")
    # tree-sitter-json does not know `1e+5`; nothing else with a "+" matters for places.
    known = data if toml else data.replace(b"+", b"0")
    language = tree_sitter_toml.language() if toml else tree_sitter_json.language()
    root = Parser(Language(language)).parse(known).root_node
    if root.has_error:  # valid, but newer than the grammar: no place beats a wrong one
        return
    latest: dict[Key, tuple[int]] = {}  # the element that each array of tables is at

    def place(node: Node) -> Place:
        row, column = node.start_point  # the column in bytes
        return Place(file, row + 1, len(lines[row][:column].decode()) + 1)

    def walk(node: Node, key: Key) -> Iterator[tuple[Key, Place]]:
        children = [child for child in node.named_children if child.type != "comment"]
        for index, child in enumerate(children):
            if node.type == "array":
                yield (*key, index), place(child)
                yield from walk(child, (*key, index))
            elif child.type in ("pair", "table", "table_array_element"):
                name = child.named_children[0]
                name_text = data[name.start_byte : name.end_byte].decode()
                here = key
                for part in _parts(name_text) if toml else [json.loads(name_text)]:
                    here = (*here, *latest.get(here, ()), part)
                    yield here, place(name)
                if child.type == "table_array_element":
                    latest[here] = (latest.get(here, (-1,))[0] + 1,)
                    here = (*here, *latest[here])
                    yield here, place(name)
                value = child.named_children[1] if child.type == "pair" else child
                yield from walk(value, here)

    yield from walk(root if toml else root.named_children[0], ())


def _parts(text: str) -> list[str]:
    """The parts of a dotted key of TOML. Raises ValueError if `text` is none."""
    if "\n" in text:
        raise ValueError(text)
    tree: Any = tomllib.loads(f"{text} = 0")
    parts = []
    while isinstance(tree, dict):
        [(part, tree)] = tree.items()
        parts.append(part)
    return parts


def _setting(override: str) -> tuple[list[str], Any, Place]:
    """The key, the value and the place of a `--set`."""
    place = Place(f"--set {override}")
    refuse = partial(_error, place, "")
    for equals in re.finditer("=", override):
        try:
            key = _parts(override[: equals.start()])
            break
        except ValueError:
            continue  # this one may stand within a quoted key
    else:
        raise refuse("must be a key, = and a value, as in optim.lr=0.1")
    if key[0] == "extends":
        raise refuse("extends can be said in a file only")

    text = override[equals.end() :].strip()
    try:
        [value] = tomllib.loads(f"x = {text}").values()
    except ValueError:
        if text.startswith(("[", "{", '"', "'")):
            message = f"begins like a TOML array, table or string, but is none: {text}"
            raise _error(place, dotted(tuple(key)), message) from None
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
                raise _error(place, dotted(key), f"{message}, counted from 0")
            step = int(part)
        elif not isinstance(node, dict):
            raise _error(place, dotted(key), f'is no table, so it can have no "{part}"')
        key = (*key, step)
        last = depth == len(parts)
        if last or (isinstance(node, dict) and part not in node):
            _forget(source.places, key)
            source.places[key] = place
            node[step] = value if last else {}
        node = node[step]
