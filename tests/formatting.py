"""Many builds in a row: Black, which takes most of their time, sees each text once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import black
import pytest


@cache
def formatted(text: str, format_str: Callable[..., str] = black.format_str) -> str:
    return format_str(text, mode=black.Mode())


@contextmanager
def each_text_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(black, "format_str", lambda text, mode: formatted(text))
        yield
