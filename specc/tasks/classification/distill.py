"""`[distill]`: a larger model, trained before, that the model learns to answer like."""

from typing import Annotated

from pydantic import Field

from specc.language.section import Positive, Section, Text
from specc.tasks.classification.formats.language import Means, Stds


class Distill(Section):
    name: Text
    """The teacher: a model of torchvision, or `timm/NAME` for one of timm's."""
    weights: Text
    """Its checkpoint, of the same classes: e.g. the `best.pt` of another project."""
    mean: Means = None
    """Mean of each channel (of values from 0 to 1) that the teacher learned with; by
    default `data.mean`, or else that of the weights that fine-tuning it begins with."""
    std: Stds = None
    """Standard deviation of each channel that the teacher learned with; by default like `mean`."""
    temperature: Positive = 4.0
    """What logits are divided by before they are compared; the higher, the more the classes that
    the teacher thinks less likely count."""
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of the loss that compares with the teacher; the rest compares with the labels."""
