"""What there is to say of a classifier of images or videos."""

from specc.language.evaluate import EvaluateClasses
from specc.language.export import Export
from specc.language.model import Network
from specc.language.spec import Spec
from specc.language.train import TrainClasses
from specc.tasks.classification.formats.language import Prepared


class Classifier(Spec):
    """The sections that the specs of both have."""

    model: Network
    data: Prepared
    train: TrainClasses
    evaluate: EvaluateClasses
    export: Export = Export()
    """The file that a trained model is exported to."""
