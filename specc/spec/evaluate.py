"""`[evaluate]`: what is measured on the validation data."""

from typing import Annotated, Literal

from pydantic import Field

from specc.spec.section import Count, Section, Text


class _Evaluate(Section):
    every: Count = 1
    """Epochs between two evaluations; the last epoch always ends with one."""


class Evaluate(_Evaluate):
    batch_size: Count = 64
    """Images of a step, for each GPU; changes the speed only."""
    topk: Annotated[list[Count], Field(min_length=1)] | None = None
    """The k of the top-k accuracies; by default 1, and 5 where there are more classes."""
    metrics: list[Literal["precision", "recall", "f1", "mean_class_accuracy"]] = []
    """Further metrics, each the mean over the classes."""
    monitor: Text | None = None
    """The metric by which the best model is chosen: `"top1"`, `"loss"` or another that is measured;
    by default `"top1"`, and with `data.multi_label` `"mAP"`."""


class EvaluateBoxes(_Evaluate):
    loss: bool = True
    """Whether to compute the loss as well, which takes a second pass over the images."""
    monitor: Text | None = None
    """The metric by which the best model is chosen: `"box_AP"`, `"box_AP50"`, `"mask_AP"`, `"loss"`
    or another that is measured; by default `"box_AP"` or `"mask_AP"`, with Pascal VOC's format
    `"box_AP50"`."""
