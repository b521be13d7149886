"""The language of `task = "video-classification"`."""

from typing import ClassVar, Literal

from specc.language.evaluate import EvaluateClips
from specc.language.train import TrainClips
from specc.tasks.classifier.language import Classifier
from specc.tasks.video.formats.language import VideoData
from specc.tasks.video.network import VideoModel


class VideoClassification(Classifier):
    """Fine-tune a video classifier."""

    usual_format: ClassVar[str] = "videofolder"

    task: Literal["video-classification"]
    """What the model learns to do."""
    model: VideoModel
    """The network, its weights, and its frozen parts."""
    data: VideoData
    """The videos' place, and the parts of them that the model sees."""
    train: TrainClips = TrainClips()
    """The training loop."""
    evaluate: EvaluateClips = EvaluateClips()
    """The metrics on the validation data."""
