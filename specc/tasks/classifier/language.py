"""The sections that the languages of image and video classifiers share."""

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
