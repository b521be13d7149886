"""`[evaluate]`: what is measured on the validation data."""

from typing import Annotated, Literal

from pydantic import Field

from specc.language.section import Count, Section, Text


class Evaluation(Section):
    every: Count = 1
    """Epochs between two evaluations; the last epoch always ends with one."""


class EvaluateClasses(Evaluation):
    topk: Annotated[list[Count], Field(min_length=1)] | None = None
    """The k of the top-k accuracies; by default 1, and 5 where there are more classes."""
    metrics: list[Literal["precision", "recall", "f1", "mean_class_accuracy"]] = []
    """Further metrics, each the mean over the classes."""
    monitor: Text | None = None
    """The metric by which the best model is chosen: `"top1"`, `"loss"` or another that is measured;
    by default `"top1"`, and with `data.multi_label` `"mAP"`."""


class Evaluate(EvaluateClasses):
    batch_size: Count = 64
    """Images of a step, for each GPU; changes the speed only."""


class Testing(Section):
    """The views of a video in `evaluate.py` and `predict.py`: several clips and crops."""

    clips: Count
    """Clips from all over a video, as 10; in `tsn` its segments, as 25."""
    crops: Literal[1, 3, 5, 10] = 1
    """Crops of each clip: the centre; both ends of the longer side as well; the corners and the
    centre; or these and their mirror images."""
    average: Literal["probabilities", "scores"] = "probabilities"
    """What of all these is averaged: probabilities, or what the model's last layer gives."""


class EvaluateClips(EvaluateClasses):
    batch_size: Count = 16
    """Videos of a step, for each GPU; changes the speed only."""
    test: Testing | None = None
    """How a trained model is tested, as `{ clips = 10, crops = 3 }`: on several clips and crops of
    each video. Validation in training looks at one clip in the middle of each, and so does testing
    if nothing is said here."""


class EvaluateBoxes(Evaluation):
    max_detections: Annotated[int, Field(gt=10)] = 100
    """Objects found in an image, the most certain ones, that average precision counts. COCO counts
    100, which is too few where there are more in an image."""
    loss: bool = False
    """Whether to compute the loss as well, which takes a second pass over the images."""
    monitor: Text | None = None
    """The metric by which the best model is chosen: `"box_AP"`, `"box_AP50"`, `"mask_AP"`, `"loss"`
    or another that is measured; by default `"box_AP"` or `"mask_AP"`, with Pascal VOC's format
    `"box_AP50"`."""
