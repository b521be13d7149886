"""The language of `task = "classification"`."""

from typing import Literal

from specc.language.evaluate import Evaluate
from specc.language.export import Export
from specc.language.launch import Launch
from specc.language.log import Log
from specc.language.model import Model
from specc.language.optim import SGD, Optim
from specc.language.schedule import Cosine, Schedule
from specc.language.section import Section
from specc.language.train import Train
from specc.tasks.classification.distill import Distill
from specc.tasks.classification.formats.language import Data


class Classification(Section):
    """Fine-tune an image classifier."""

    task: Literal["classification"]
    """What the model learns to do."""
    model: Model
    """The network, its weights, and its frozen parts."""
    data: Data
    """The images' place, and their preparation for the model."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """The length of training, and the learning rate over it."""
    train: Train = Train()
    """The training loop."""
    distill: Distill | None = None
    """A teacher model whose outputs are learned as well."""
    evaluate: Evaluate = Evaluate()
    """The metrics on the validation data."""
    export: Export = Export()
    """The file that a trained model is exported to."""
    log: Log = Log()
    """The loggers of curves."""
    launch: Launch = Launch()
    """The GPUs to train on by default."""
