"""torchvision's datasets: their classes and splits, and how they are read."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Dataset:
    """A class of torchvision.datasets; datasets.toml tells of the fields."""

    class_name: str
    title: str
    num_classes: int
    split: str
    images: Mapping[str, int]
    train: str
    labels: str
    classes: str
    val: str = ""
    size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    setup: str = ""
    files: str = ""
    transposed: bool = False
    download: bool = True
    place: str = ""
    packages: tuple[str, ...] = ()
    torchvision: str = "0.21"


def dataset(name: str) -> Dataset:
    return datasets()[name]


@cache
def datasets() -> Mapping[str, Dataset]:
    """Return all datasets by name, those of EMNIST as `emnist-SPLIT`."""
    rows = tomllib.loads((FOLDER / "datasets.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _dataset(row) for name, row in rows.items()})


def _dataset(row: dict[str, Any]) -> Dataset:
    row["packages"] = tuple(row.get("packages", ()))
    return Dataset(class_name=row.pop("class"), **row)
