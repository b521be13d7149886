"""The state of a project's last build, in its folder `.specc/`.

`base/` has every file as it was generated, with a suffix of ours, so that no formatter or linter
that is let loose on the project takes them for code. `lock.json` has the rest, and the digests of
those files.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from specc import __version__
from specc.source.diagnostics import UserError
from specc.source.versions import NEWEST, migrate

FOLDER = ".specc"
SUFFIX = ".base"
FORMAT = 2  # of the lock; 1 had no other keys than version and files


@dataclass(frozen=True)
class State:
    """Paths are as they are generated."""

    base: Mapping[str, str] = field(default_factory=dict)  # path: text as it was generated
    conflicts: tuple[str, ...] = ()  # paths of files that were left with conflict markers
    renamed: Mapping[str, str] = field(default_factory=dict)  # by the owner: path: his path
    version: str | None = None  # of specc
    spec: Mapping[str, Any] | None = None  # the tables that were built, if that is known


class Lock(BaseModel):
    """The content of `lock.json`. Its keys may be edited by hand, so their types are checked."""

    model_config = ConfigDict(strict=True)

    format: int = 1
    version: str
    files: dict[str, str]
    conflicts: list[str] = []
    renamed: dict[str, str] = {}
    language: int = 1
    spec: dict[str, Any] | None = None


def base_path(folder: Path, path: str) -> Path:
    return folder / FOLDER / "base" / f"{path}{SUFFIX}"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_state(folder: Path) -> State:
    """Read the state of the last build; an empty one where no project is.

    Raises:
        UserError: if it is damaged, or was written by a newer specc.
    """
    lock = folder / FOLDER / "lock.json"
    if not lock.exists():
        return State()
    try:
        kept = Lock.model_validate_json(lock.read_text(encoding="utf-8"))
        if kept.format > FORMAT:
            raise UserError(f"{lock}: of specc {kept.version}; build with that or a newer one")
        base = {path: base_path(folder, path).read_text(encoding="utf-8") for path in kept.files}
        for path, text in base.items():
            if digest(text.encode()) != kept.files[path]:
                raise ValueError(f"{base_path(folder, path)} was changed")
        return State(
            base=base,
            conflicts=tuple(kept.conflicts),
            renamed=kept.renamed,
            version=kept.version,
            spec=_migrated(kept.spec, kept.language),
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"{lock}: damaged, so that edits cannot be told ({_reason(error)}); "
            f"restore {folder / FOLDER}, "
            "build into another folder with -o, or remove it and build with --adopt"
        ) from error


def _reason(error: Exception) -> str:
    """Return one line, where pydantic's own texts have several."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return ": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")
    return str(error)


def _migrated(spec: dict[str, Any] | None, version: int) -> dict[str, Any] | None:
    if spec is not None:
        migrate(spec, version)
    return spec


def lock_text(state: State) -> str:
    """Return the text of `lock.json`."""
    content = {
        "format": FORMAT,
        "version": __version__,
        "files": {path: digest(text.encode()) for path, text in sorted(state.base.items())},
        "conflicts": list(state.conflicts),
        "renamed": dict(state.renamed),
        "language": NEWEST,
        "spec": state.spec,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
