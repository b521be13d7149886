"""Errors in a spec: what is wrong, where, and what to write instead."""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Place:
    """A key's place: a file or an option, and in a file the line and column."""

    file: str
    line: int = 0  # from 1; 0 for what has no lines, as the option `--set`
    column: int = 0  # from 1, in characters

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One problem, in the words of the person who has to mend it."""

    place: Place
    key: str  # dotted, as the user would write it: "optim.lr"
    message: str

    def __str__(self) -> str:
        subject = f"{self.key}: " if self.key else ""
        return visible(f"{self.place}  {subject}{self.message}")


class SpecError(Exception):
    """A spec that cannot be built, with everything that was found wrong with it."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = sorted(set(diagnostics))
        super().__init__("\n".join(map(str, self.diagnostics)))


def wrong(place: Place, key: str, message: str) -> SpecError:
    """Return the error of one problem."""
    return SpecError([Diagnostic(place, key, message)])


class UserError(Exception):
    """An obstacle outside of the spec, with what to do about it."""


def choices(names: Iterable[str]) -> str:
    """Join choices as `a`, `b` or `c`, in the order given."""
    quoted = [f'"{name}"' for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return a question that offers the allowed name most like `name`, or nothing if none is."""
    names = {it.lower(): it for it in allowed}
    initials = "".join(word[:1] for word in name.lower().split("_"))
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    close += [it for it in (initials,) if it in names]  # "learning_rate" for "lr"
    return f'; did you mean "{names[close[0]]}"?' if close else ""


def show(value: Any) -> str:
    """Return a value as a user would write it, cut to a readable length."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def visible(text: str) -> str:
    """Return the text with the escapes of TOML for what would not show, or could mislead."""
    return "".join(it if it.isprintable() else _escape(ord(it)) for it in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
