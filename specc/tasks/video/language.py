"""The language of `task = "video-classification"`."""

from typing import Literal

from specc.language.evaluate import EvaluateClips
from specc.language.export import Export
from specc.language.launch import Launch
from specc.language.log import Log
from specc.language.optim import SGD, Optim
from specc.language.schedule import Cosine, Schedule
from specc.language.section import Section
from specc.language.train import TrainClips
from specc.tasks.video.formats.language import VideoData
from specc.tasks.video.network import VideoModel


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
