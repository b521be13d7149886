"""The plans of video classification's templates, beside those of all tasks."""

from dataclasses import dataclass

from specc.tasks.common.code import Call, Name
from specc.tasks.common.plan import ClassesPlan, SamplesPlan


@dataclass(frozen=True)
class TSNPlan:
    """A temporal segment network: a classifier's features, averaged, and a layer."""

    backbone: Call
    features: Name  # an expression for their number
    cut: Name  # the statement that leaves the classifier without its head
    head_prefix: str  # of the names of that head's tensors: "fc."
    dropout: float


@dataclass(frozen=True)
class TestingPlan:
    """The views of each video that test a trained model."""

    clips: int  # of a TSN: segments
    cut: Call | None  # which cuts several crops out of frames
    three: bool  # whether these are at the ends and in the middle
    resize: Call | Name  # the transform before that
    scores: bool  # whether the model's scores are averaged, rather than probabilities


@dataclass(frozen=True, kw_only=True)
class ClipsPlan(SamplesPlan):
    segments: int | None  # of a TSN, which sees a frame of each
    frames: int | None  # of a clip, for other models
    stride: int | None
    fps: float | None  # in place of a stride
    rawframes: bool  # whether frames are image files
    with_offset: bool
    multi_scale_crop: bool
    reader: Name  # the function that reads frames of a video
    any_video: Name  # the type of what it reads
    place_training: Name  # and the functions that choose the frames: of a training clip,
    place_evaluation: Name
    place_test: Name
    testing: TestingPlan | None


@dataclass(frozen=True, kw_only=True)
class VideoPlan(ClassesPlan):
    data: ClipsPlan
    tsn: TSNPlan | None  # the model, where it is one, rather than torchvision's
    decoder: str  # the library that decodes video files: "pyav"
