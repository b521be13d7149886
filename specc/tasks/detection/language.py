"""The language of `task = "detection"` and `task = "instance-segmentation"`."""

from typing import Literal

from specc.language.evaluate import EvaluateBoxes
from specc.language.launch import Launch
from specc.language.log import Log
from specc.language.optim import SGD, Optim
from specc.language.schedule import Cosine, Schedule
from specc.language.section import Section
from specc.language.train import TrainBoxes
from specc.tasks.detection.formats.language import BoxData
from specc.tasks.detection.network import Detector


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
