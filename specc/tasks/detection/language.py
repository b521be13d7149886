"""The language of `task = "detection"` and `task = "instance-segmentation"`."""

from typing import ClassVar, Literal

from specc.language.evaluate import EvaluateBoxes
from specc.language.spec import Spec
from specc.language.train import TrainBoxes
from specc.tasks.detection.formats.language import BoxData
from specc.tasks.detection.network import Detector


class Detection(Spec):
    """Fine-tune an object detector."""

    usual_format: ClassVar[str] = "voc"

    task: Literal["detection", "instance-segmentation"]
    """What the model learns to do: to find boxes, or boxes and masks."""
    model: Detector
    """The network, its weights, and its frozen parts."""
    data: BoxData
    """The images' place, and their preparation for the model."""
    train: TrainBoxes = TrainBoxes()
    """The training loop."""
    evaluate: EvaluateBoxes = EvaluateBoxes()
    """The metrics on the validation data."""
