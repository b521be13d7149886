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
    """Which network, its weights, and what of it is frozen."""
    data: VideoData
    """Where the videos are, and what the model sees of them."""
    train: TrainClips = TrainClips()
    """The training loop."""
    evaluate: EvaluateClips = EvaluateClips()
    """What is measured on the validation data."""
