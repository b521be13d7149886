"""The language of `task = "video-classification"`."""

from typing import Literal

from specc.spec.clips import VideoData
from specc.spec.evaluate import EvaluateClips
from specc.spec.export import Export
from specc.spec.launch import Launch
from specc.spec.log import Log
from specc.spec.optim import SGD, Optim
from specc.spec.schedule import Cosine, Schedule
from specc.spec.section import Section
from specc.spec.train import TrainClips
from specc.spec.video_model import VideoModel


class VideoClassification(Section):
    """Fine-tune a video classifier."""

    task: Literal["video-classification"]
    """What the model learns to do."""
    model: VideoModel
    """Which network, its weights, and what of it is frozen."""
    data: VideoData
    """Where the videos are, and what the model sees of them."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """How long to train, and how the learning rate changes meanwhile."""
    train: TrainClips = TrainClips()
    """The training loop."""
    evaluate: EvaluateClips = EvaluateClips()
    """What is measured on the validation data."""
    export: Export = Export()
    """The file that a trained model becomes."""
    log: Log = Log()
    """Where curves go."""
    launch: Launch = Launch()
    """On which GPUs to train if not told otherwise."""
