"""The classifiers that can be fine-tuned: what is known of each without importing torch.

torchvision's are in models.json; timm's, many more, in timm.json. Detectors and video classifiers
have modules of their own; the trees of all are read here: from modules/ for torchvision's, from
timm.zip.
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
TSN = "tsn/"  # what the name of a backbone follows in that of a TSN


@dataclass(frozen=True, kw_only=True)
class Published:
    """Trained weights of a model."""

    name: str  # torchvision's "IMAGENET1K_V2", timm's tag "in1k"
    url: str


@dataclass(frozen=True, kw_only=True)
class Weights(Published):
    """Trained weights of a classifier, and how images are prepared for them."""

    acc1: float | None  # published on ImageNet-1K, per cent
    acc5: float | None
    crop_size: int  # pixels, square
    resize_size: int  # the short side, before the crop
    interpolation: str  # "bilinear" | "bicubic"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A builder of torchvision or timm: what is known of those for all tasks."""

    name: str  # "resnet50", "timm/resnet50d", "maskrcnn_resnet50_fpn"
    # "classification" | "detection" | "instance-segmentation" | "video-classification"
    task: str
    library: str  # "torchvision" | "timm"
    family: str  # "resnet": a table in families.toml, or a module of timm
    # The layers that another number of classes replaces, the main one first.
    head: tuple[str, ...]
    # Modules and parameters in the order of the forward pass, from the stem on: what is
    # frozen together.
    stages: tuple[tuple[str, ...], ...]
    weights: tuple[Published, ...]
    weights_enum: str  # torchvision's class of them: "ResNet50_Weights"
    default: str | None  # the name of the default weights
    parameters: int  # with 1000 classes; a detector's with 91, a video classifier's with 400
    draws: bool  # what training computes depends on random numbers that it draws
    batch_norm: bool
    # Globs of parameters of two dimensions or more that the model's authors do not decay.
    no_decay: tuple[str, ...] = ()
    # Arguments of the builder: always; and with and without pretrained weights.
    arguments: Mapping[str, bool] = field(default_factory=dict)
    with_weights: Mapping[str, bool] = field(default_factory=dict)
    without_weights: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Classifier(Model):
    """A model that names the one thing in an image.

    What has parameters or running statistics is in exactly one stage, or in the head.
    """

    weights: tuple[Weights, ...]
    head_kind: str  # "linear" | "linear-no-bias" | "conv"
    # The convolutions that see the images, whose weights alone depend on the number of channels;
    # none where that is not so.
    input_convs: tuple[str, ...]
    image_size: int  # what it is built for; with weights, that is their `crop_size`
    size_argument: str  # of the builder, to have it for images of another size; "" if it needs none
    size_multiple: int  # what other sizes have to be multiples of; 0 if it takes no other
    min_size: int  # the smallest square image that it can train on; of timm's, roughly
    dropout: str  # the builder's argument for the rate; "" if it has none
    drop_path: str  # the same for the rate at which whole layers are skipped
    square: bool = False  # whether it takes no images whose height and width differ
    resize: str = ""  # timm's function for tensors of models of other sizes; "none", but needed
    repair: str = ""  # a template that mends the names in files of weights


@dataclass(frozen=True)
class ModelTree:
    """The names in a model, as `named_modules()` and `named_parameters()` give them."""

    modules: tuple[str, ...]  # without the model itself
    parameters: Mapping[str, int]  # how many numbers each holds


@cache
def model(name: str) -> Classifier | None:
    row = _rows("timm" if name.startswith("timm/") else "torchvision").get(name)
    return None if row is None else _model(name, row)


@cache
def models() -> Mapping[str, Classifier]:
    """Return all classifiers, torchvision's before timm's, each sorted by name."""
    rows = {**_rows("torchvision"), **_rows("timm")}
    return MappingProxyType({name: _model(name, row) for name, row in rows.items()})


@cache
def tree(name: str) -> ModelTree:
    """Return the modules of the model of this name."""
    if name.startswith(TSN):
        return _tsn_tree(name.removeprefix(TSN))
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


def _tsn_tree(backbone: str) -> ModelTree:
    """Return the modules of a classifier with identities for its head, and a layer behind it."""
    row, own = model(backbone), tree(backbone)
    assert row is not None, backbone
    heads = tuple(f"{layer}." for layer in row.head)
    parameters = {
        f"backbone.{name}": size
        for name, size in own.parameters.items()
        if not name.startswith(heads)
    }
    # The head may be a convolution, or have no bias: `fc` is a linear layer that has one.
    parameters |= {"fc.weight": own.parameters[f"{row.head[0]}.weight"], "fc.bias": 1000}
    modules = ("backbone", *(f"backbone.{name}" for name in own.modules), "fc")
    return ModelTree(modules, MappingProxyType(parameters))


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


def _model(name: str, row: dict[str, Any]) -> Classifier:
    return Classifier(name=name, **frozen(row) | {"weights": tuple(map(_weights, row["weights"]))})


def _weights(row: dict[str, Any]) -> Weights:
    return Weights(**frozen(row))


def frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it, with tuples in place of lists."""
    return {key: _tuples(value) for key, value in row.items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
