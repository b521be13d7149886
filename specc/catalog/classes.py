"""The classes of the data sets that detectors are trained on."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Classes:
    names: tuple[str, ...]
    numbers: Mapping[str, int]  # by which the data set's files call them, where they do


@cache
def classes(name: str) -> Classes:
    """Return the classes of `"coco"`, `"voc"`, `"cityscapes"` or `"wider-face"`."""
    row = tomllib.loads((FOLDER / "classes.toml").read_text(encoding="utf-8"))[name]
    return Classes(tuple(row["names"]), row.get("numbers", {}))
