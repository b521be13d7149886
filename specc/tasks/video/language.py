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
    """The network, its weights, and its frozen parts."""
    data: VideoData
    """The videos' place, and the parts of them that the model sees."""
    optim: Optim = SGD()
    """The optimizer."""
    schedule: Schedule = Cosine()
    """The length of training, and the learning rate over it."""
    train: TrainClips = TrainClips()
    """The training loop."""
    evaluate: EvaluateClips = EvaluateClips()
    """The metrics on the validation data."""
    export: Export = Export()
    """The file that a trained model is exported to."""
    log: Log = Log()
    """The loggers of curves."""
    launch: Launch = Launch()
    """The GPUs to train on by default."""
