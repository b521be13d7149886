"""The blocks that the statements of a Python file are in."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

Heads = tuple[str, ...]  # of the blocks around a statement, the outermost first


def moved(others: Sequence[str], yours: str, merged: str) -> bool:
    """Return whether a statement that only `yours` has is in another block of `merged`.

    Blocks that only one of the two texts has don't count. False where a text can't be parsed, as
    one with conflict markers.
    """
    try:
        known = {statement for text in others for statement in blocks(text)}
        mine, now = blocks(yours), blocks(merged)
    except (SyntaxError, ValueError):
        return False
    both = _heads(mine) & _heads(now)
    return any(
        _common(mine[statement], both) != _common(now[statement], both)
        for statement in mine.keys() & now.keys() - known
    )


def blocks(text: str) -> dict[str, list[Heads]]:
    """Return the heads of the blocks around each statement, wherever it stands.

    Raises:
        SyntaxError, ValueError: if the text is no Python.
    """
    found = defaultdict(list)
    for statement, heads in _walk(ast.parse(text).body, ()):
        found[statement].append(heads)
    return found


def _walk(body: list[ast.stmt], heads: Heads) -> Iterator[tuple[str, Heads]]:
    for node in body:
        inner = [(name, value) for name, value in ast.iter_fields(node) if _is_body(value)]
        for name, _ in inner:
            setattr(node, name, [])
        statement = ast.dump(node)
        yield statement, heads
        for name, value in inner:
            yield from _walk(value, (*heads, f"{name} of {statement}"))


def _is_body(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], ast.stmt)


def _heads(found: dict[str, list[Heads]]) -> set[str]:
    return {head for places in found.values() for heads in places for head in heads}


def _common(places: list[Heads], heads: set[str]) -> list[Heads]:
    return sorted(tuple(head for head in place if head in heads) for place in places)
