"""The language of `task = "classification"`."""

from typing import Literal

from specc.spec.data import Data
from specc.spec.distill import Distill
from specc.spec.evaluate import Evaluate
from specc.spec.export import Export
from specc.spec.launch import Launch
from specc.spec.log import Log
from specc.spec.model import Model
from specc.spec.optim import SGD, Optim
from specc.spec.schedule import Cosine, Schedule
from specc.spec.section import Section
from specc.spec.train import Train


class Classification(Section):
    """Fine-tune an image classifier."""

    task: Literal["classification"]
    """What the model learns to do."""
    model: Model
    """Which network, its weights, and what of it is frozen."""
    data: Data
    """Where the images are, and what is done to them before the model sees them."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """How long to train, and how the learning rate changes meanwhile."""
    train: Train = Train()
    """The training loop."""
    distill: Distill | None = None
    """A teacher model whose answers are learned as well."""
    evaluate: Evaluate = Evaluate()
    """What is measured on the validation data."""
    export: Export = Export()
    """The file that a trained model becomes."""
    log: Log = Log()
    """Where curves go."""
    launch: Launch = Launch()
    """On which GPUs to train if not told otherwise."""
