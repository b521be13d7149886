"""A cache of the data that were read, while one spec is built many times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_kept: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("_kept", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Let `remembered` functions read what they are asked for once, until the end."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Cache a function that reads files, and whose arguments say by `repr` what it reads."""

    @wraps(function)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        kept = _kept.get()
        if kept is None:
            return function(*args, **kwargs)
        key = (f"{function.__module__}.{function.__qualname__}", repr((args, kwargs)))
        if key not in kept:
            kept[key] = function(*args, **kwargs)
        found: T = kept[key]
        return found

    return read
