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
