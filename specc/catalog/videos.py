"""The video classifiers that can be fine-tuned: what is known of each without importing torch.

torchvision's are in videos.json. A temporal segment network (arXiv 1608.00859) is made of any image
classifier, and so is what is known of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from specc.catalog.models import FOLDER, TSN, Classifier, Model, Published, frozen, tree


@dataclass(frozen=True, kw_only=True)
class VideoWeights(Published):
    """Trained weights of a video classifier, and how clips are prepared for them."""

    acc1: float | None  # published on Kinetics-400, per cent
    acc5: float | None
    crop_size: int  # pixels, square
    resize_size: tuple[int, ...]  # before the crop: the short side, or height and width
    interpolation: str  # "bilinear" | "bicubic"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    # How the accuracy was measured, by what torchvision says:
    frames: int  # of a clip
    frame_rate: float  # frames of it in a second
    clips: int  # of a video


@dataclass(frozen=True, kw_only=True)
class VideoClassifier(Model):
    """A model that names the one thing that happens in a clip.

    What has parameters or running statistics is in exactly one stage, or in the head.
    """

    weights: tuple[VideoWeights, ...]
    head_kind: str  # "linear" | "linear-no-bias" | "conv"
    image_size: int  # what it is built for; with weights, that is their `crop_size`
    size_argument: str = ""  # of a TSN's backbone; no other has to be told of a size
    size_multiple: int  # what other sizes have to be multiples of; 0 if it takes no other
    min_size: int  # the smallest square frames that it can train on
    square: bool = False  # of a TSN's backbone, if that takes square images only
    frames: int  # of the clips that it is built for; with weights, of theirs
    any_frames: bool  # whether it takes clips of other lengths
    min_frames: int  # the fewest that it can train on
    dropout: str  # the builder's argument for the rate; "" if it has none
    drop_path: str  # the same for the rate at which whole layers are skipped


@cache
def video_model(name: str) -> VideoClassifier | None:
    row = _rows().get(name)
    return None if row is None else _model(name, row)


@cache
def video_models() -> Mapping[str, VideoClassifier]:
    """Return torchvision's video classifiers, sorted by name."""
    return MappingProxyType({name: _model(name, row) for name, row in _rows().items()})


def tsn(backbone: Classifier) -> VideoClassifier:
    """Return the row of a TSN on this backbone.

    It is a module with the children `backbone`, the image classifier with identities in the place
    of its head, and `fc`, a linear layer. It has no builder: `drop_path` and `size_argument` are
    the backbone's. So are the weights, whose names are not those of all of it.
    """
    name = f"{TSN}{backbone.name}"
    return VideoClassifier(
        name=name,
        task="video-classification",
        library=backbone.library,
        family=backbone.family,
        head=("fc",),
        head_kind="linear",
        stages=tuple(tuple(f"backbone.{part}" for part in stage) for stage in backbone.stages),
        weights=(),
        weights_enum="",
        default=None,
        parameters=sum(tree(name).parameters.values()),
        draws=backbone.draws,
        no_decay=tuple(it if it[0] == "*" else f"backbone.{it}" for it in backbone.no_decay),
        batch_norm=backbone.batch_norm,
        image_size=backbone.image_size,
        size_argument=backbone.size_argument,
        size_multiple=backbone.size_multiple,
        min_size=backbone.min_size,
        square=backbone.square,
        frames=3,
        any_frames=True,
        min_frames=1,
        dropout="",
        drop_path=backbone.drop_path,
    )


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = (FOLDER / "videos.json").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows


def _model(name: str, row: dict[str, Any]) -> VideoClassifier:
    weights = tuple(VideoWeights(**frozen(weights)) for weights in row["weights"])
    return VideoClassifier(name=name, **frozen(row) | {"weights": weights})
