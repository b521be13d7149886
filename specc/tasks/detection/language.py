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
    """The network, its weights, and its frozen parts."""
    data: BoxData
    """The images' place, and their preparation for the model."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """The length of training, and the learning rate over it."""
    train: TrainBoxes = TrainBoxes()
    """The training loop."""
    evaluate: EvaluateBoxes = EvaluateBoxes()
    """The metrics on the validation data."""
    log: Log = Log()
    """The loggers of curves."""
    launch: Launch = Launch()
    """The GPUs to train on by default."""
