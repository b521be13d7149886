"""`specc migrate`: write a spec in the newest version of the language."""

import codecs
import os
import shutil
from functools import partial
from pathlib import Path

from specc.source.diagnostics import Place, UserError, show, wrong
from specc.source.document import read_document
from specc.source.keys import Key, dotted
from specc.source.versions import NEWEST, known, migrate


def migrate_file(path: Path) -> str:
    """Rewrite the spec at `path`, and in it no more than has to change; what that was, in words.

    A file that says no version may have keys of any.

    Raises:
        SpecError: if it cannot be read.
        UserError: if the place of a key in it cannot be told.
    """
    document = read_document(path, partial(wrong, Place(str(path)), ""))
    place = document.places.get(("version",), Place(str(path)))
    version = known(document.tree.get("version", 1), place)
    said: list[str] = []
    edits: list[tuple[slice, str]] = []

    def rewrite(key: Key, name: str, value: object) -> None:
        if key not in document.pairs:
            raise UserError(f"{path}: {dotted(key)} has no place; write {name} = {show(value)}")
        at = document.pairs[key]
        edits.append((at.name, name if path.suffix == ".toml" else f'"{name}"'))
        edits.append((at.value, show(value)))
        said.append(f"{document.places[key]}  {dotted(key)}: now {name} = {show(value)}")

    for old, new, value in migrate(document.tree, version):
        rewrite(old, str(new[-1]), value)
    if "version" in document.tree and version < NEWEST:
        rewrite(("version",), "version", NEWEST)
    if not edits:
        return f"{path}: nothing to change"
    data = document.text.encode()
    for at, text in sorted(edits, key=lambda it: it[0].start, reverse=True):
        data = data[: at.start] + text.encode() + data[at.stop :]
    _replace(path, data)
    return "\n".join(said)


def _replace(path: Path, data: bytes) -> None:
    """Write `data` in place of a file, which stays as it is should that fail."""
    path = path.resolve()
    mark = codecs.BOM_UTF8 if path.read_bytes().startswith(codecs.BOM_UTF8) else b""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(mark + data)
        shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
