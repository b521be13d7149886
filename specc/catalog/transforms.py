"""The image transforms of torchvision.transforms.v2 that a spec may list."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Parameter:
    """An argument of a transform."""

    name: str
    required: bool
    # Any of "int", "float", "bool", "str", "list", "interpolation" and "policy" (a spec
    # names an AutoAugmentPolicy, but torchvision takes only the object). As in Python's
    # own typing, an int will do for a float.
    kinds: tuple[str, ...]
    # The strings allowed, if there may be one. Of the interpolations these are the ones
    # that the transform can do on tensors; some need PIL images.
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transform:
    """A class of torchvision.transforms.v2."""

    name: str
    parameters: tuple[Parameter, ...]  # in the order of the signature
    random: bool  # draws random numbers when it is called


def transform(name: str) -> Transform | None:
    return transforms().get(name)


@cache
def transforms() -> Mapping[str, Transform]:
    """Return all transforms, sorted by name."""
    rows = json.loads((FOLDER / "transforms.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: _transform(name, row) for name, row in rows.items()})


def _transform(name: str, row: dict[str, Any]) -> Transform:
    return Transform(name, tuple(map(_parameter, row["parameters"])), row["random"])


def _parameter(row: dict[str, Any]) -> Parameter:
    return Parameter(
        row["name"], row["required"], tuple(row["kinds"]), tuple(row.get("choices", ()))
    )
