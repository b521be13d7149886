"""The detectors that can be fine-tuned: what is known of each without importing torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from specc.catalog.models import FOLDER, Model, Published, frozen


@dataclass(frozen=True, kw_only=True)
class DetectorWeights(Published):
    """Trained weights of a detector."""

    box_ap: float  # published on COCO val2017, per cent
    mask_ap: float | None  # None if the model finds no masks
    norm_eps: float | None  # the `eps` of the body's batch norms with these weights; None: 1e-5


@dataclass(frozen=True, kw_only=True)
class Detector(Model):
    """A model that finds objects in images of any size, which it normalises and resizes itself.

    A stage is a part of its body, the classifier's layers that it looks through. The first
    `len(stages) - n` are what torchvision freezes with `trainable_backbone_layers=n`. All that
    is behind the body (feature pyramid, proposals, heads) is in no stage.
    """

    weights: tuple[DetectorWeights, ...]
    # As torchvision freezes by default: the stem and so many stages after it; None: nothing.
    default_freeze: int | None
    # The body's batch norms, where it is pretrained, in torchvision: fixed whatever is frozen,
    # or trained, or there are none. Without weights torchvision trains them all.
    norm: str  # "frozen" | "trained" | "none"
    background: bool  # class 0 is the background; else it is an object's, too
    # Images are resized in the model: to have a short side of `min_size` pixels and a long one
    # of `max_size` at most, or to `fixed_size` x `fixed_size`.
    min_size: int | None
    max_size: int | None
    fixed_size: int | None
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    # The body's weights, trained on ImageNet, that the builder takes, its default first.
    backbone_weights_enum: str  # torchvision's class of them: "ResNet50_Weights"
    backbone_weights: tuple[str, ...]
    # How names begin in them, and how in the detector: of the pairs that fit, the first counts.
    # Names without a pair, or unknown to the detector, belong to the classifier's own head.
    backbone_names: tuple[tuple[str, str], ...]
    # Whether they fit the detector that is built without them; SSDlite's body has fewer channels.
    backbone_fits: bool
    options: Mapping[str, str]  # arguments of the builder that are numbers: "int" | "float"
    augment: str  # torchvision's reference recipe: "flip" | "ssd" | "ssdlite"


@cache
def detector(name: str) -> Detector | None:
    row = _rows().get(name)
    return None if row is None else _detector(name, row)


@cache
def detectors() -> Mapping[str, Detector]:
    """Return all detectors, sorted by name."""
    return MappingProxyType({name: _detector(name, row) for name, row in _rows().items()})


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = (FOLDER / "detectors.json").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows


def _detector(name: str, row: dict[str, Any]) -> Detector:
    weights = tuple(DetectorWeights(**weights) for weights in row["weights"])
    return Detector(name=name, **frozen(row) | {"weights": weights})
