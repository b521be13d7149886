"""Why a build changes files: the keys of the spec that are not what they were."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from specc import __version__
from specc.project.state import State
from specc.source.diagnostics import SpecError, show
from specc.source.keys import Key, dotted
from specc.source.read import Source

ABSENT = object()


def reasons(
    state: State,
    source: Source,
    files: Mapping[str, str],
    built: Callable[[Source], Mapping[str, str]],
) -> dict[str, list[str]]:
    """Explain, for each file that is generated otherwise than last time, why.

    Found by taking back one key after the other: it is a reason for the files that this changes.

    Args:
        state: what is remembered of the last build.
        source: the spec now.
        files: what it is built to.
        built: gives the files of another spec, or raises SpecError.
    """
    changed = [path for path in {*files, *state.base} if files.get(path) != state.base.get(path)]
    found: dict[str, list[str]] = {path: [] for path in changed}
    if state.spec is None:
        return {path: [f"built by specc {state.version}, which kept no spec"] for path in changed}
    unsure = []
    for key, old, new in sorted(_changes(state.spec, source.tree), key=lambda it: dotted(it[0])):
        text = f"{dotted(key)} = {show(new)}" if new is not ABSENT else f"{dotted(key)} left out"
        text += f", which was {show(old)}" if old is not ABSENT else ", which was not written"
        try:
            without = built(Source(_with(source.tree, key, old), {}, source.path))
        except SpecError:  # with other keys as they are now
            unsure.append(text)
            continue
        for path in changed:
            if without.get(path) != files.get(path):
                found[path].append(text)
    other = f"specc {__version__}, which was {state.version}"
    for path in changed:
        if not found[path]:
            found[path] = unsure or ([other] if state.version != __version__ else ["the data"])
    return found


def _changes(old: Any, new: Any, key: Key = ()) -> Iterator[tuple[Key, Any, Any]]:
    """Yield the keys whose values are not the same, with both."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {*old, *new}:
            yield from _changes(old.get(name, ABSENT), new.get(name, ABSENT), (*key, name))
    elif old != new:
        yield key, old, new


def _with(tree: Mapping[str, Any], key: Key, value: Any) -> dict[str, Any]:
    """Return the tables with another value; ABSENT takes it out."""
    changed: dict[str, Any] = deepcopy(dict(tree))
    node = changed
    for part in key[:-1]:
        node = node.setdefault(str(part), {})
    if value is ABSENT:
        node.pop(str(key[-1]), None)
    else:
        node[str(key[-1])] = value
    return changed
