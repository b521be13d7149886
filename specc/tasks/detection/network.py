"""`[model]` of detection: which detector, its weights, and what of it is frozen."""

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from specc.language.model import Freeze, Unfreeze, WeightsFile
from specc.language.section import Section, Text, must_be


class DetectorWeights(WeightsFile):
    """Weights that need more than a name."""

    layout: Literal["mmdet", "mmdet-caffe"] | None = None
    """Who named the tensors, where they do not have the model's own names: MMDetection, of a
    Mask R-CNN or Faster R-CNN with ResNet-50 and FPN; `"mmdet-caffe"` is for the files with `caffe`
    in their names, for BGR images and with strides in other places, which are put right."""
    head: bool = False
    """Whether the head comes from there as well, which has to be for the same classes."""


class Detector(Section):
    name: Text
    """A model of torchvision; `specc models --task detection` lists them."""
    weights: Annotated[
        Annotated[Text, Tag("text")] | Annotated[DetectorWeights, Tag("table")],
        Discriminator(lambda v: "table" if isinstance(v, dict | DetectorWeights) else "text"),
    ] = "default"
    """Pretrained weights: a name that torchvision gives those of the whole model, as `"COCO_V1"`,
    or of its backbone, as `"IMAGENET1K_V1"`; `"default"`, `"none"`, a file or URL (`.pth`,
    `.safetensors`), `package://PACKAGE/FILE`, or a table with `source` and what it takes to make
    its names the model's."""
    freeze: Freeze | None = None
    """What keeps its pretrained weights: `"none"`, `"backbone"` (but not its feature pyramid), a
    number n (the stem and the first n stages), or names and globs of modules, as
    `["backbone.body.layer1"]`. By default what torchvision freezes in this model."""
    unfreeze: list[Unfreeze] = []
    """When less is frozen, as `[{ epoch = 3, freeze = 1 }, { epoch = 6, freeze = "none" }]`."""
    batch_norm: Literal["frozen", "eval", "train"] | None = None
    """What all batch norms do: `"frozen"` keeps scale, shift and running statistics, `"eval"`
    learns scale and shift (OpenMMLab's `norm_eval`), `"train"` the statistics as well. By
    default what torchvision does in this model."""
    options: Annotated[
        dict[Text, int | float],
        must_be("a table of numbers, e.g. { box_detections_per_img = 300 }"),
    ] = {}

    """Further arguments of torchvision's builder that are numbers: thresholds, and how many boxes
    are sampled or kept, as `{ box_detections_per_img = 300 }`."""
