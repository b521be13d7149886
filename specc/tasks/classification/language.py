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
    """Which network, its weights, and what of it is frozen."""
    data: Data
    """Where the images are, and what is done to them before the model sees them."""
    train: Train = Train()
    """The training loop."""
    evaluate: Evaluate = Evaluate()
    """What is measured on the validation data."""
    distill: Distill | None = None
    """A teacher model whose answers are learned as well."""
