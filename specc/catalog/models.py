"""The models that can be fine-tuned: what is known of each without importing torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Weights:
    """Trained weights of a model, and how images are prepared for them."""

    name: str  # torchvision's "IMAGENET1K_V2", timm's tag "in1k"
    url: str
    acc1: float | None  # published on ImageNet-1K, per cent
    acc5: float | None
    crop_size: int  # pixels, square
    resize_size: int  # the short side, before the crop
    interpolation: str  # "bilinear" | "bicubic"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Model:
    """A builder of torchvision or timm."""

    name: str  # "resnet50", "timm/resnet50d"
    task: str  # "classification"
    library: str  # "torchvision" | "timm"
    family: str  # "resnet": a table in families.toml
    # The layers that another number of classes replaces, the main one first.
    head: tuple[str, ...]
    head_kind: str  # "linear" | "linear-no-bias" | "conv"
    # Modules and parameters in the order of the forward pass, from the stem on. What
    # has parameters or running statistics is in exactly one stage, or in the head.
    stages: tuple[tuple[str, ...], ...]
    weights: tuple[Weights, ...]
    weights_enum: str  # torchvision's class of them: "ResNet50_Weights"
    default: str | None  # the name of the default weights
    parameters: int  # with 1000 classes, side classifiers, and images of `image_size`
    image_size: int  # what it is built for; with weights, that is their `crop_size`
    fixed_size: bool  # takes no other size than that
    min_size: int  # the smallest square image that it can train on
    dropout: bool  # draws random numbers in training
    batch_norm: bool


@dataclass(frozen=True)
class ModelTree:
    """The names in a model, as `named_modules()` and `named_parameters()` give them."""

    modules: tuple[str, ...]  # without the model itself
    parameters: Mapping[str, int]  # how many numbers each holds


def model(name: str) -> Model | None:
    return models().get(name)


@cache
def models() -> Mapping[str, Model]:
    """All models, sorted by name."""
    rows = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: _model(name, row) for name, row in rows.items()})


@cache
def tree(name: str) -> ModelTree:
    """What the model `name`, one of `models()`, is made of."""
    modules: list[str] = []
    parameters: dict[str, int] = {}
    path: list[str] = []  # from the model, which the first line names, to this line's
    file = FOLDER / "modules" / f"{name.replace('/', '__')}.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        depth = len(line) - len(line.lstrip())
        path[depth:] = [words[0]]
        if depth:
            modules.append(".".join(path[1:]))
        for word in words[1:]:
            parameter, _, size = word.partition("=")
            parameters[".".join([*path[1:], parameter])] = int(size)
    return ModelTree(tuple(modules), MappingProxyType(parameters))


def table(text: str = "") -> str:
    """The models with `text` in their names: parameters, default weights, accuracy."""
    lines = [f"{'model':24} {'params':>8} {'pixels':>6} {'acc@1':>6}  weights"]
    for row in models().values():
        if text.lower() not in row.name:
            continue
        best = next((w for w in row.weights if w.name == row.default), None)
        accuracy = f"{best.acc1:.1f}" if best and best.acc1 else ""
        names = ", ".join(weights.name for weights in row.weights)
        size = f"{row.parameters / 1e6:.1f}M"
        line = f"{row.name:24} {size:>8} {row.image_size:>6} {accuracy:>6}  {names}"
        lines.append(line)
    return "\n".join(lines)


def _model(name: str, row: dict[str, Any]) -> Model:
    tuples = {
        "head": tuple(row["head"]),
        "stages": tuple(map(tuple, row["stages"])),
        "weights": tuple(map(_weights, row["weights"])),
    }
    return Model(name=name, **row | tuples)


def _weights(row: dict[str, Any]) -> Weights:
    return Weights(**row | {"mean": tuple(row["mean"]), "std": tuple(row["std"])})
