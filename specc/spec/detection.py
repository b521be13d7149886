"""The language of `task = "detection"` and `task = "instance-segmentation"`."""

from typing import Literal

from specc.spec.boxes import BoxData
from specc.spec.detector import Detector
from specc.spec.evaluate import EvaluateBoxes
from specc.spec.launch import Launch
from specc.spec.log import Log
from specc.spec.optim import SGD, Optim
from specc.spec.schedule import Cosine, Schedule
from specc.spec.section import Section
from specc.spec.train import TrainBoxes


class Detection(Section):
    """Fine-tune an object detector."""

    task: Literal["detection", "instance-segmentation"]
    """What the model learns to do: to find boxes, or boxes and masks."""
    model: Detector
    """Which network, its weights, and what of it is frozen."""
    data: BoxData
    """Where the images are, and what is done to them before the model sees them."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """How long to train, and how the learning rate changes meanwhile."""
    train: TrainBoxes = TrainBoxes()
    """The training loop."""
    evaluate: EvaluateBoxes = EvaluateBoxes()
    """What is measured on the validation data."""
    log: Log = Log()
    """Where curves go."""
    launch: Launch = Launch()
    """On which GPUs to train if not told otherwise."""
