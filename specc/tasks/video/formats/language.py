"""`[data]` of video classification: where the videos are, and what the model sees of them."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, Tag
from pydantic_core import PydanticCustomError

from specc.language.section import Count, Positive, Section, Text, variant
from specc.tasks.classification.formats.language import Classes, ListFile, Mean, Prepared, Std


class Clips(Section):
    """The part of a video that is a sample."""

    segments: Count | None = None
    """`tsn`: parts of a video, of each of which the model sees a frame; by default 3."""
    frames: Annotated[int, Field(ge=1)] | None = None
    """Frames of a clip; by default as many as the model is built for."""
    stride: Count | None = None
    """Frames of the video from one frame of a clip to the next."""
    fps: Positive | None = None
    """Instead of `stride`: frames of a clip in a second, whatever the video's own rate is. By
    default what the weights were evaluated at; of `rawframes`, whose rate nobody knows, the stride
    that gives that at 30 frames a second."""


def _frame_name(text: str) -> str:
    """Refuse what is not a file's name with one whole number in it."""
    if not re.fullmatch(r"[^{}]*\{(:0?\d*d?)?\}[^{}]*", text):
        message = "must have one place for a whole number, e.g. img_{:05}.jpg"
        raise PydanticCustomError("text", message)
    return text


class SomeVideos(Prepared):
    clips: Clips = Clips()
    """What of a video a sample is, as `{ frames = 16, stride = 2 }`; for `tsn` `{ segments = 3 }`.
    Training takes a random clip, or frame of each segment, and evaluation the one in the middle."""
    mean: Mean = None
    """Mean of each colour channel (RGB, of values from 0 to 1) that is subtracted; by default
    the weights' own."""
    std: Std = None
    """Standard deviation of each channel that is divided by; by default the weights' own."""
    decoder: Literal["pyav", "torchcodec"] = "pyav"
    """What decodes video files: PyAV, or torchcodec, for which FFmpeg has to be installed."""
    augment: (
        Literal[
            "random-crop",
            "multi-scale-crop",
            "random-resized-crop",
            "center-crop",
            "rand-augment",
            "trivial-augment",
            "auto-augment",
            "aug-mix",
        ]
        | None
    ) = None
    """A preset of training transforms, the same for all frames of a clip: a random crop of what
    evaluation resizes; TSN's crop of several shapes at five places; a random rectangle of any
    size; evaluation's crop; the last four are random-resized-crop, and that policy of torchvision's
    after it. By default `"random-crop"`, for `tsn` `"multi-scale-crop"`. Where `fit` shows all of a
    frame, none of them crops, and only the last four may be written."""
    val_groups: Text | None = None
    """Where the name of a group stands whose videos `val_fraction` keeps together, such as those of
    a person: `"folder"` for the name of the folder that a video is in, or text that follows the
    group in the video's name: with `"_c"` the group of `v_Surfing_g08_c01.avi` is
    `v_Surfing_g08`."""
    flip: bool = True
    """Whether the presets mirror half of the training clips; not for classes that tell left from
    right."""


class _Listed(Classes, SomeVideos):
    multi_label: ClassVar[bool] = False  # as other formats in which files tell the labels may be

    train: ListFile
    """The training videos, as `{ root = "data", list = "data/train.txt" }`."""
    val: ListFile | None = None
    """The validation videos, likewise."""
    test: ListFile | None = None
    """Videos to test on at the end, likewise, which training never sees."""


class RawFrames(_Listed):
    """Folders of a video's frames as images, and list files with a line `FOLDER FRAMES LABEL` for
    each; labels are names, or numbers from 0."""

    format: Literal["rawframes"]
    """How the data lie on disk."""
    frame_name: Annotated[Text, AfterValidator(_frame_name)] = "img_{:05}.jpg"
    """The file name of a frame, with its number, as Python's `str.format` writes it."""
    first_frame: Annotated[int, Field(ge=0)] = 1
    """The number of a folder's first frame."""
    with_offset: bool = False
    """Whether lines are `FOLDER OFFSET FRAMES LABEL`, and a video begins OFFSET frames after the
    folder's first."""


class Videos(_Listed):
    """Video files, and list files with a line `PATH LABEL` for each; labels are names, or numbers
    from 0."""

    format: Literal["videos"]
    """How the data lie on disk."""
    separator: str = Field(" ", min_length=1)
    r"""What stands between path and label, as `"\t"`; the last one in a line counts."""


class VideoFolder(SomeVideos):
    """Video files in one folder a class: `root/train/CLASS/VIDEO`, `root/val/CLASS/VIDEO`."""

    format: Literal["videofolder"]
    """How the data lie on disk."""
    root: Text
    """The data's folder, relative to where training is started."""
    train: Text | None = None
    """The training videos' folder in `root`: `"train"`, or with val_fraction `root` itself."""
    val: Text | None = None
    """The validation videos' folder in `root`, by default `"val"`."""
    test: Text | None = None
    """The folder in `root` of videos to test on at the end, which training never sees."""


class Kinetics(SomeVideos):
    """Kinetics' own files: `root/annotations/train.csv`, and videos as `root/train/ID_FROM_TO.mp4`
    or in a folder for each class; videos that are in the CSV only are left out, and counted."""

    format: Literal["kinetics"]
    """How the data lie on disk."""
    root: Text
    """The data's folder, relative to where training is started."""
    train: Text = "train"
    """The split to train on."""
    val: Text | None = None
    """The split to validate on; by default `"val"`."""
    test: Text | None = None
    """The split to test on at the end, which training never sees."""


class Ucf101(SomeVideos):
    """UCF101's own files: `root/UCF-101/CLASS/VIDEO.avi`, and the three divisions of them in
    `root/ucfTrainTestlist`."""

    format: Literal["ucf101"]
    """How the data lie on disk."""
    root: Text
    """The data's folder, relative to where training is started."""
    fold: Literal[1, 2, 3] = 1
    """Which division into training and validation videos: that of `trainlist01.txt` and
    `testlist01.txt`, or one of the other two."""


VideoData = Annotated[
    Annotated[RawFrames, Tag("rawframes")]
    | Annotated[Videos, Tag("videos")]
    | Annotated[VideoFolder, Tag("videofolder")]
    | Annotated[Kinetics, Tag("kinetics")]
    | Annotated[Ucf101, Tag("ucf101")],
    variant("format"),
]
