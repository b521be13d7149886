"""The sections that a spec of every task has."""

from typing import ClassVar

from specc.language.evaluate import Evaluation
from specc.language.launch import Launch
from specc.language.log import Log
from specc.language.optim import SGD, Optim
from specc.language.schedule import Cosine, Schedule
from specc.language.section import Section
from specc.language.train import Training


class Spec(Section):
    """A fine-tuning. Each task's language says what its own sections are, and has more of them."""

    usual_format: ClassVar[str]  # of [data]; stands in where none is written

    task: str
    model: Section
    data: Section
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """The length of training, and the learning rate over it."""
    train: Training
    evaluate: Evaluation
    log: Log = Log()
    """The loggers of curves."""
    launch: Launch = Launch()
    """The GPUs to train on by default."""
