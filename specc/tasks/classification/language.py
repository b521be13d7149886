"""The language of `task = "classification"`."""

from typing import ClassVar, Literal

from specc.language.evaluate import Evaluate
from specc.language.model import Model
from specc.language.train import Train
from specc.tasks.classification.distill import Distill
from specc.tasks.classification.formats.language import Data
from specc.tasks.classifier.language import Classifier


class Classification(Classifier):
    """Fine-tune an image classifier."""

    usual_format: ClassVar[str] = "imagefolder"

    task: Literal["classification"]
    """What the model learns to do."""
    model: Model
    """The network, its weights, and its frozen parts."""
    data: Data
    """The images' place, and their preparation for the model."""
    train: Train = Train()
    """The training loop."""
    evaluate: Evaluate = Evaluate()
    """The metrics on the validation data."""
    distill: Distill | None = None
    """A teacher model whose outputs are learned as well."""
