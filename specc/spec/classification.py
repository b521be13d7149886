"""The language of `task = "classification"`."""

from typing import Literal

from specc.spec.data import Data
from specc.spec.evaluate import Evaluate
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
    data: Data
    optim: Optim = SGD()
    schedule: Schedule = Cosine()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    log: Log = Log()
    launch: Launch = Launch()
