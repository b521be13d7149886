"""The problems found so far in one spec."""

from collections.abc import Iterable

from specc.source.diagnostics import Diagnostic, SpecError
from specc.source.keys import Key, dotted
from specc.source.read import Source


class Problems:
    """Collects what is wrong with a spec, each with the place where its key was written."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: list[Diagnostic] = []
        self._wrong: set[Key] = set()

    def add(self, key: Key, message: str, *others: Key) -> None:
        """Note a problem with `key`, and with `others` where it comes from several values.

        Where one of these is left out already, the problem follows from that: it is none.
        """
        if not any(_related(it, wrong) for it in (key, *others) for wrong in self._wrong):
            self._found.append(Diagnostic(self._source.place(key), dotted(key), message))

    def note(self, key: Key, message: str) -> None:
        """Note what a build lets pass, as it depends on where the training will be."""
        note = Diagnostic(self._source.place(key), dotted(key), message)
        if note not in self._source.notes:
            self._source.notes.append(note)

    def left_out(self, keys: Iterable[Key]) -> None:
        """Mute problems of `keys` from now on: their values were invalid and are not used."""
        self._wrong.update(keys)

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self) -> SpecError:
        """Return all of them, to be raised."""
        return SpecError(self._found)


def _related(a: Key, b: Key) -> bool:
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]
