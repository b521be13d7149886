"""The models that can be fine-tuned: what is known of each without importing torch.

torchvision's are in models.json and modules/; timm's, many more, in timm.json and timm.zip.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    family: str  # "resnet": a table in families.toml, or a module of timm
    # The layers that another number of classes replaces, the main one first.
    head: tuple[str, ...]
    head_kind: str  # "linear" | "linear-no-bias" | "conv"
    # Modules and parameters in the order of the forward pass, from the stem on. What
    # has parameters or running statistics is in exactly one stage, or in the head.
    stages: tuple[tuple[str, ...], ...]
    weights: tuple[Weights, ...]
    weights_enum: str  # torchvision's class of them: "ResNet50_Weights"
    default: str | None  # the name of the default weights
    parameters: int  # with 1000 classes and images of `image_size`
    image_size: int  # what it is built for; with weights, that is their `crop_size`
    size_argument: str  # of the builder, to have it for images of another size; "" if it needs none
    size_multiple: int  # what other sizes have to be multiples of; 0 if it takes no other
    min_size: int  # the smallest square image that it can train on; of timm's, roughly
    draws: bool  # draws random numbers in training
    dropout: str  # the builder's argument for the rate; "" if it has none
    drop_path: str  # the same for the rate at which whole layers are skipped
    batch_norm: bool
    repair: str = ""  # a template that mends the names in files of weights
    # Arguments of the builder: always; and with and without pretrained weights.
    arguments: Mapping[str, bool] = field(default_factory=dict)
    with_weights: Mapping[str, bool] = field(default_factory=dict)
    without_weights: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelTree:
    """The names in a model, as `named_modules()` and `named_parameters()` give them."""

    modules: tuple[str, ...]  # without the model itself
    parameters: Mapping[str, int]  # how many numbers each holds


@cache
def model(name: str) -> Model | None:
    row = _rows("timm" if name.startswith("timm/") else "torchvision").get(name)
    return None if row is None else _model(name, row)


@cache
def models() -> Mapping[str, Model]:
    """All models, torchvision's before timm's, each sorted by name."""
    rows = {**_rows("torchvision"), **_rows("timm")}
    return MappingProxyType({name: _model(name, row) for name, row in rows.items()})


@cache
def tree(name: str) -> ModelTree:
    """What the model `name`, one of `models()`, is made of."""
    modules: list[str] = []
    parameters: dict[str, int] = {}
    path: list[str] = []  # from the model, which the first line names, to this line's
    for line in _tree_text(name).splitlines():
        words = line.split()
        depth = len(line) - len(line.lstrip())
        path[depth:] = [words[0]]
        if depth:
            modules.append(".".join(path[1:]))
        for word in words[1:]:
            parameter, _, size = word.partition("=")
            parameters[".".join([*path[1:], parameter])] = int(size)
    return ModelTree(tuple(modules), MappingProxyType(parameters))


def _tree_text(name: str) -> str:
    if not name.startswith("timm/"):
        return (FOLDER / "modules" / f"{name}.txt").read_text(encoding="utf-8")
    with zipfile.ZipFile(FOLDER / "timm.zip") as archive:
        family = archive.read(f"{_rows('timm')[name]['family']}.txt").decode()
    # The lines of a tree but the first are indented.
    found = re.search(rf"^{re.escape(name)}( .*)?\n( .*\n)*", family, re.MULTILINE)
    assert found is not None, name
    return found[0]


@cache
def _rows(library: str) -> dict[str, dict[str, Any]]:
    file = {"torchvision": "models.json", "timm": "timm.json"}[library]
    rows: dict[str, dict[str, Any]] = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return rows


def table(
    text: str = "",
    task: str | None = None,
    max_params: float | None = None,
    min_acc1: float | None = None,
) -> str:
    """Models as lines of text: parameters, accuracy of the best weights, names of all.

    Without `text` timm's are only counted.

    Args:
        text: a part of the name of the model or of weights, in upper or lower case.
        task: what the model is for.
        max_params: in millions.
        min_acc1: published for some weights of it, per cent; timm publishes none.
    """
    found = [
        row
        for row in models().values()
        if text.lower() in row.name
        or any(text.lower() in f"{row.name}.{weights.name}".lower() for weights in row.weights)
        if task in (None, row.task)
        if max_params is None or row.parameters <= max_params * 1e6
        if min_acc1 is None or any((it.acc1 or 0) >= min_acc1 for it in row.weights)
    ]
    shown = [row for row in found if text or row.library == "torchvision"]
    width = max((len(row.name) for row in shown), default=0) + 1
    lines = [f"{'model':{width}} {'params':>8} {'pixels':>6} {'acc@1':>6}  weights"]
    for row in shown:
        best = max((weights.acc1 or 0 for weights in row.weights), default=0)
        accuracy = f"{best:.1f}" if best else ""
        names = ", ".join(weights.name for weights in row.weights)
        size = f"{row.parameters / 1e6:.1f}M"
        line = f"{row.name:{width}} {size:>8} {row.image_size:>6} {accuracy:>6}  {names}"
        lines.append(line.rstrip())
    if hidden := len(found) - len(shown):
        lines.append(f"and {hidden} of timm: `specc models TEXT` finds those with TEXT in the name")
    return "\n".join(lines) if found else "no such model"


def _model(name: str, row: dict[str, Any]) -> Model:
    tuples = {
        "head": tuple(row["head"]),
        "stages": tuple(map(tuple, row["stages"])),
        "weights": tuple(map(_weights, row["weights"])),
    }
    return Model(name=name, **row | tuples)


def _weights(row: dict[str, Any]) -> Weights:
    return Weights(**row | {"mean": tuple(row["mean"]), "std": tuple(row["std"])})
