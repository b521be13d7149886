"""The versions of the language, and what became of their keys."""

from dataclasses import dataclass
from typing import Any

from specc.source.diagnostics import Place, show, wrong
from specc.source.keys import Key

NEWEST = 2


@dataclass(frozen=True)
class Rename:
    """A key that has another name since some version, and what its values are called there."""

    version: int
    old: tuple[str, ...]
    new: str
    values: tuple[tuple[Any, Any], ...]

    def value(self, old: Any) -> Any:
        """Return the value as it is written now; None where there was no such value."""
        return next((new for it, new in self.values if (type(it), it) == (type(old), old)), None)

    def __str__(self) -> str:
        values = ", ".join(f"{show(new)} for {show(old)}" for old, new in self.values)
        return f"was renamed to {self.new} in version {self.version} of the language: {values}"


RENAMES = (
    # As detectors have it.
    Rename(2, ("model", "norm_eval"), "batch_norm", ((True, "eval"), (False, "train"))),
)


def known(version: Any, place: Place) -> int:
    """Return the number that a file says; raises SpecError if there is no such version."""
    if type(version) is int and 1 <= version <= NEWEST:
        return version
    newer = "; a newer specc may know it" if type(version) is int and version > 0 else ""
    message = f"must be a number from 1 to {NEWEST}, not {show(version)}{newer}"
    raise wrong(place, "version", message)


def migrate(tree: dict[str, Any], version: int) -> list[tuple[Key, Key, Any]]:
    """Bring tables of an older version up to date, and tell old keys, new keys and new values.

    Keys with values that they cannot have stay as they are, as do those whose new name is written
    as well: these are errors, and others find them.
    """
    changes: list[tuple[Key, Key, Any]] = []
    for rename in RENAMES:
        table: Any = tree
        for part in rename.old[:-1]:
            table = table.get(part) if isinstance(table, dict) else None
        name = rename.old[-1]
        if version >= rename.version or not isinstance(table, dict) or name not in table:
            continue
        value = rename.value(table[name])
        if value is not None and rename.new not in table:
            del table[name]
            table[rename.new] = value
            changes.append((rename.old, (*rename.old[:-1], rename.new), value))
    return changes
