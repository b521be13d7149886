"""`[data]`: where the images are, and what is done to them before the model sees them."""

import warnings
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Discriminator, Field, Tag

from specc.language.section import Count, Fraction, Positive, Section, Text, must_be

Lists = Field(strict=False)  # for tuples, as TOML has lists only
Share = Annotated[float, Field(gt=0, lt=1)]
Deviation = Annotated[float, Field(gt=0, le=1)]


Depth = Annotated[int, Field(ge=0, le=65535)]
ValueRange = Annotated[
    tuple[Depth, Depth] | None, Lists, must_be("two whole numbers from 0 to 65535")
]


Side = Annotated[int, Field(ge=8)]
ImageSize = Annotated[
    Side | Annotated[tuple[Side, Side], Lists] | None,
    must_be("a whole number from 8, or two, the height and the width, e.g. [224, 160]"),
]


class Transform(Section):
    """A transform of torchvision.transforms.v2: its name, and its arguments as further keys."""

    model_config = ConfigDict(extra="allow")

    name: Text
    """A class of torchvision.transforms.v2."""

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


Mean = Annotated[
    tuple[Fraction, Fraction, Fraction] | None,
    Lists,
    must_be("three numbers from 0 to 1, for red, green and blue"),
]
Std = Annotated[
    tuple[Deviation, Deviation, Deviation] | None,
    Lists,
    must_be("three numbers above 0 and up to 1, for red, green and blue"),
]


Means = Annotated[
    Annotated[list[Fraction], Field(min_length=1)] | None,
    must_be("a number from 0 to 1 for each channel, in a list"),
]
Stds = Annotated[
    Annotated[list[Deviation], Field(min_length=1)] | None,
    must_be("a number above 0 and up to 1 for each channel, in a list"),
]


class Prepared(Section):
    """The preparation of a classifier's samples, images or videos."""

    val_fraction: Share | None = None
    """Share of the training samples that is validated on instead, drawn from each class alike,
    where there are no validation samples."""
    val_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Decides which samples `val_fraction` takes; other seeds are other divisions."""
    image_size: ImageSize = None
    """Height and width of the model's input in pixels: one number for a square, or both, e.g.
    `[224, 160]`; by default what the weights were evaluated at."""
    fit: Literal["crop", "letterbox", "stretch"] | None = None
    """How samples are brought to `image_size`: `"crop"` cuts off what is beside the middle,
    `"letterbox"` shows the whole of each between borders of the mean colour, `"stretch"` the whole
    in another shape; these two in training as well. By default `"crop"`, and in training what
    `augment` says."""
    color_jitter: Positive | None = None
    """How far training samples change in brightness, contrast and saturation: 0.4 is by up to
    40 %."""
    random_erasing: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of training samples in which a rectangle becomes the mean colour."""
    train_transforms: list[Transform] | None = None
    """Training transforms of uint8 images, in order, instead of a preset."""
    eval_transforms: list[Transform] | None = None
    """Evaluation transforms of uint8 images, in order; by default resize and centre crop."""
    repeat: Count = 1
    """How often an epoch passes over the training samples; for small data."""
    balance: bool = False
    """Whether an epoch draws every class equally often, rather than every sample."""
    mixup: Positive | None = None
    """Blend pairs of samples and of labels; the alpha of the Beta distribution that the shares
    come from, as 0.2."""
    cutmix: Positive | None = None
    """Paste a box of one sample into another, and blend their labels; the alpha of the Beta
    distribution that the box's area comes from, as 1.0. With mixup as well, each step does one
    of the two."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each training label that is spread over all classes."""


class _Data(Prepared):
    channels: Count = 3
    """Channels of the images: 3 for RGB, 1 for grey, which colours then become; or as many as
    the files have, e.g. 4 for RGBA or CMYK, or those of NumPy's `.npy` files: arrays [height,
    width, channels] of 8 or 16 bits."""
    mean: Means = None
    """Mean of each channel (of values from 0 to 1) that is subtracted; by default the weights'
    own, and for grey the mean of these three."""
    std: Stds = None
    """Standard deviation of each channel that is divided by; by default like `mean`."""
    augment: (
        Literal[
            "random-resized-crop",
            "flip",
            "none",
            "rand-augment",
            "trivial-augment",
            "auto-augment",
            "aug-mix",
        ]
        | None
    ) = None
    """A preset of training transforms, by default `"random-resized-crop"`, or `"flip"` where `fit`
    shows all of an image. The last four are that default, and the named policy of torchvision's
    after it."""


class _Files(_Data):
    """Formats whose images are files."""

    on_bad_image: Literal["error", "skip"] = "error"
    """What happens to images that are missing or cannot be read, by their headers: `"error"` names
    them all and stops before training, `"skip"` leaves them out, and says so."""
    value_range: ValueRange = None
    """Least and greatest value of 16-bit images, which become 0 and 255, e.g. `[0, 4095]` where
    they have 12 bits; by default all 16 bits."""
    val_groups: Text | None = None
    """Where the name of a group stands whose images `val_fraction` keeps together, such as those of
    a patient: `"folder"` for the name of the folder that an image is in, or text that follows the
    group in the file's name: with `"_"` the group of `p7_2_left.png` is `p7`."""


class ImageFolder(_Files):
    """Images in one folder a class: `root/train/CLASS/IMAGE`, `root/val/CLASS/IMAGE`."""

    format: Literal["imagefolder"]
    """How the data lie on disk."""
    root: Text
    """The data's folder, relative to where training is started."""
    train: Text | None = None
    """The training images' folder in `root`: `"train"`, or with val_fraction `root` itself."""
    val: Text | None = None
    """The validation images' folder in `root`, by default `"val"`."""
    test: Text | None = None
    """The folder in `root` of images to test on at the end, which training never sees."""


class Classes(Section):
    """The classes' names, in formats whose files state the labels."""

    classes: Annotated[
        Text | Annotated[list[Text], Field(min_length=2)] | None,
        must_be("a list of two or more names, or the name of a text file with one in each line"),
    ] = None
    """The classes' names in the order of their numbers: a list, or a text file with one a line.
    By default the labels are the names, in sorted order, or numbers from 0."""


class _Labelled(Classes, _Files):
    """Formats in which files tell the labels of images."""

    multi_label: bool = False
    """Whether an image has any number of labels, rather than one."""
    image_suffix: Text | None = None
    """What the images' paths in the files lack, e.g. `".png"` of `id_code`."""


with warnings.catch_warnings():  # that a key's name is a method of pydantic's as well
    warnings.simplefilter("ignore")

    class ListFile(Section):
        root: Text = "."
        """The folder that the images' paths start from, relative to where training is started."""
        list: Text
        """The list file, relative to where training is started."""

    class CsvFile(Section):
        root: Text = "."
        """The folder that the images' paths start from, relative to where training is started."""
        csv: Text
        """The CSV file, relative to where training is started."""

    class JsonFile(Section):
        root: Text = "."
        """The folder that the images' paths start from, relative to where training is started."""
        json: Text  # type: ignore[assignment]
        """The JSON file, relative to where training is started."""


class ListData(_Labelled):
    """Text files with a line `PATH LABEL` for each image; labels are names, or numbers from 0."""

    format: Literal["list"]
    """How the data lie on disk."""
    train: ListFile
    """The training images, as `{ root = "data", list = "data/train.txt" }`."""
    val: ListFile | None = None
    """The validation images, likewise."""
    test: ListFile | None = None
    """Images to test on at the end, likewise, which training never sees."""
    separator: str = Field(" ", min_length=1)
    r"""What stands between path and label, as `"\t"`; the last one in a line counts. In
    multi-label lists the labels are separated by commas."""


class CsvData(_Labelled):
    """CSV files with a row for each image, and a header that names the columns."""

    format: Literal["csv"]
    """How the data lie on disk."""
    train: CsvFile
    """The training images, as `{ root = "data", csv = "data/train.csv" }`."""
    val: CsvFile | None = None
    """The validation images, likewise."""
    test: CsvFile | None = None
    """Images to test on at the end, likewise, which training never sees."""
    delimiter: Annotated[
        str, Field(pattern=r'^[^"\r\n]$'), must_be('one character, e.g. ";" or "\\t"')
    ] = ","
    r"""What stands between two fields of a row, e.g. `";"` or `"\t"`."""
    image_column: Text = "image"
    """The column of the images' paths."""
    label_column: Text | None = None
    """The column of the labels, by default `"label"`: names, or numbers from 0."""
    label_separator: str | None = Field(None, min_length=1)
    """Multi-label: what stands between an image's labels in `label_column`, by default `","`."""
    label_columns: Annotated[list[Text], Field(min_length=2)] | None = None
    """Multi-label: a column for each class, with 0 or 1 (or 0.0 or 1.0) in it, instead of
    `label_column`."""
    val_groups: Text | None = None
    """The column of the groups whose images `val_fraction` keeps together, e.g. `"patient_id"`."""


class OpenMMLabData(_Labelled):
    """OpenMMLab 2.0's JSON files: `metainfo.classes`, and `img_path` and `gt_label` of each
    image in `data_list`."""

    format: Literal["openmmlab"]
    """How the data lie on disk."""
    train: JsonFile
    """The training images, as `{ root = "data", json = "data/train.json" }`."""
    val: JsonFile | None = None
    """The validation images, likewise."""
    test: JsonFile | None = None
    """Images to test on at the end, likewise, which training never sees."""


class _Named(_Data):
    root: Text = "data"
    """The folder that the data are in, or are downloaded to, relative to where training is
    started."""
    train: Text | None = None
    """The split to train on; by default the one for that."""
    val: Text | None = None
    """The split to validate on; by default the one for that, or the test split."""
    test: Text | None = None
    """The split to test on at the end, which training never sees."""


class NamedData(_Named):
    """A dataset as torchvision reads it, downloaded where it is missing."""

    format: Literal[
        "cifar10",
        "cifar100",
        "mnist",
        "fashion-mnist",
        "kmnist",
        "flowers102",
        "oxford-iiit-pet",
        "food101",
        "dtd",
        "eurosat",
        "stanford-cars",
        "fgvc-aircraft",
        "svhn",
        "gtsrb",
        "caltech101",
        "caltech256",
        "sun397",
        "stl10",
        "pcam",
        "imagenette",
        "imagenet",
    ]
    """How the data lie on disk."""


class Emnist(_Named):
    """EMNIST as torchvision reads it, downloaded where it is missing."""

    format: Literal["emnist"]
    """How the data lie on disk."""
    split: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = "balanced"
    """Which of its six divisions into classes."""


def _kind(value: Any) -> str | None:
    """Return the section that `format` means: one does for most of torchvision's datasets."""
    name = value.get("format") if isinstance(value, dict) else getattr(value, "format", None)
    if name in get_args(NamedData.model_fields["format"].annotation):
        return "=named"
    return None if name is None else f"={name}"


Data = Annotated[
    Annotated[ImageFolder, Tag("=imagefolder")]  # a tag that no key can be taken for
    | Annotated[ListData, Tag("=list")]
    | Annotated[CsvData, Tag("=csv")]
    | Annotated[OpenMMLabData, Tag("=openmmlab")]
    | Annotated[NamedData, Tag("=named")]
    | Annotated[Emnist, Tag("=emnist")],
    Discriminator(_kind),
]
