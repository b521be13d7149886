"""One file of a spec: what it says, and where each key was written."""

import codecs
import json
import os
import re
import tomllib
from ast import literal_eval
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tree_sitter_json
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from specc.source.diagnostics import Diagnostic, Place, SpecError, choices, nearest, wrong
from specc.source.keys import Key, dotted, parts

Refuse = Callable[[str], SpecError]  # an error that knows its place and wants a message

SUFFIXES = (".toml", ".json")
JSON_STRING = r'"(?:[^"\\]|\\.)*"'
PLAINER = {  # what tomllib says of the two commonest slips
    "Invalid value": "invalid value; a string needs quotes",
    "Cannot overwrite a value": "this key already has a value",
}


class Pair(NamedTuple):
    """The places of a key's last part and of its value, in the bytes of a text."""

    name: slice
    value: slice


@dataclass(frozen=True)
class Document:
    text: str  # without a byte order mark
    tree: dict[str, Any]
    places: dict[Key, Place]
    pairs: dict[Key, Pair]  # of those keys that a value follows


def read_document(path: Path, refuse: Refuse) -> Document:
    """Parse one file by itself.

    Raises SpecError, with all that is wrong: no file, no valid TOML or JSON.
    """
    try:
        return _read(path, refuse)
    except RecursionError:
        raise wrong(Place(str(path)), "", "is nested too deeply") from None


def _read(path: Path, refuse: Refuse) -> Document:
    file = str(path)
    toml = path.suffix == ".toml"
    text = _text(path, refuse)
    tree = _values(text, file, toml)
    problems = [] if toml else list(_let_through(text, file))
    if not isinstance(tree, dict):
        message = "must be an object, { ... }, at the top"
        problems.append(Diagnostic(Place(file, 1, 1), "", message))

    places: dict[Key, Place] = {}
    pairs: dict[Key, Pair] = {}
    repeated = set()
    for key, place, pair in _written(text, file, toml):
        if pair:
            pairs[key] = pair
        first = places.setdefault(key, place)
        if first is not place and not toml:  # tomllib knows what may be repeated
            repeated.add(key)
            if key[:-1] not in repeated:  # else its parent is what is wrong
                message = f"is written twice, first at {first}"
                problems.append(Diagnostic(place, dotted(key), message))
    if problems:
        raise SpecError(problems)
    return Document(text, tree, places, pairs)


def _text(path: Path, refuse: Refuse) -> str:
    if path.suffix not in SUFFIXES and os.path.isfile(path):
        raise refuse(f'"{path}" is not a spec: its name must end in {choices(SUFFIXES)}')
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
        raise wrong(place, "", message) from None


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
    raise wrong(place, "", f"not valid {'TOML' if toml else 'JSON'}: {message}")


def _let_through(text: str, file: str) -> Iterator[Diagnostic]:
    """Find what Python's parser takes for JSON, and JSON or UTF-8 does not."""
    for token in re.finditer(rf"{JSON_STRING}|-?Infinity|NaN", text):
        place = _place_at(file, text[: token.start()])
        if not token[0].startswith('"'):
            yield Diagnostic(place, "", f"not valid JSON: {token[0]} is not allowed")
        elif re.search("[\ud800-\udfff]", json.loads(token[0])):
            yield Diagnostic(place, "", "not valid JSON: half a \\u surrogate pair")


def _written(text: str, file: str, toml: bool) -> Iterator[tuple[Key, Place, Pair | None]]:
    """Yield the keys and array elements of a valid document, as it goes on.

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

    def walk(node: Node, key: Key) -> Iterator[tuple[Key, Place, Pair | None]]:
        children = [child for child in node.named_children if child.type != "comment"]
        for index, child in enumerate(children):
            if node.type == "array":
                yield (*key, index), place(child), None
                yield from walk(child, (*key, index))
            elif child.type in ("pair", "table", "table_array_element"):
                name = child.named_children[0]
                name_text = data[name.start_byte : name.end_byte].decode()
                here = key
                names = parts(name_text) if toml else [json.loads(name_text)]
                for depth, part in enumerate(names, 1):
                    here = (*here, *latest.get(here, ()), part)
                    whole = child.type == "pair" and depth == len(names)
                    yield here, place(name), _pair(child) if whole else None
                if child.type == "table_array_element":
                    latest[here] = (latest.get(here, (-1,))[0] + 1,)
                    here = (*here, *latest[here])
                    yield here, place(name), None
                value = child.named_children[1] if child.type == "pair" else child
                yield from walk(value, here)

    yield from walk(root if toml else root.named_children[0], ())


def _pair(node: Node) -> Pair:
    name, value = (child for child in node.named_children if child.type != "comment")
    if name.type == "dotted_key":
        name = name.named_children[-1]
    return Pair(slice(name.start_byte, name.end_byte), slice(value.start_byte, value.end_byte))
