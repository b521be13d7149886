"""`[data]` of detection: where images and their annotations are, and what is done to them."""

import warnings
from typing import Annotated, Literal

from pydantic import Field, Tag

from specc.language.section import (
    ONE_OR_MORE,
    Count,
    Fraction,
    Names,
    Section,
    Text,
    must_be,
    variant,
)
from specc.tasks.classification.formats.language import (
    Deviation,
    Lists,
    Share,
    Transform,
    ValueRange,
)

Pixels = Annotated[int, Field(ge=32)]


class Resize(Section):
    """The size that images are brought to, their shapes kept."""

    short: Annotated[
        Pixels | Annotated[list[Pixels], Field(min_length=2)],
        must_be("a number of pixels, or a list of two or more"),
    ]
    """The short side in pixels. Of two numbers, as `[640, 800]`, training draws any between them;
    of more, one of them. Evaluation takes the largest."""
    long: Pixels
    """The most that the long side may have then; the short one is made shorter for that."""


class _BoxData(Section):
    classes: Annotated[
        Text | Annotated[list[Text], Field(min_length=1)] | None,
        must_be("a list of names, or the name of a text file with one in each line"),
    ] = None
    """The classes' names, in the order of their numbers; objects of other classes are left out.
    Also the name of a file with one in each line, of YOLO's `data.yaml`, or of a set that is known:
    `"coco"`, `"voc"`. By default all that the annotations name; of several JSON files, those of
    the first, and then what the others add."""
    val_fraction: Share | None = None
    """Share of the training images that is validated on instead, where there are no validation
    images."""
    val_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Decides which images `val_fraction` takes; other seeds are other divisions."""
    val_groups: Text | None = None
    """Where the name of a group stands whose images `val_fraction` keeps together, such as the
    frames of a video: `"folder"` for the name of the folder that an image is in, or text that
    follows the group in the file's name: with `"_"` the group of `street7_0042.jpg` is
    `street7`."""
    keep_empty: bool = False
    """Whether images without objects are trained on as well; they are always validated on."""
    on_bad_annotation: Literal["error", "fix"] = "error"
    """What happens to annotations that cannot be right: `"error"` names them all and stops, `"fix"`
    cuts boxes at the image's border, leaves out what has no area, no image or no known class, of an
    object those polygons that cannot be drawn, and says so."""
    min_size: Annotated[float, Field(ge=0)] = 0.0
    """Objects with a side below so many pixels are neither trained on nor missed."""
    repeat: Count = 1
    """How often an epoch passes over the training images; for small data."""
    resize: Resize | None = None
    """The size that images are brought to, as `{ short = 800, long = 1333 }`; by default the
    model's own."""
    mean: Annotated[
        tuple[Fraction, Fraction, Fraction] | None,
        Lists,
        must_be("three numbers from 0 to 1, for red, green and blue"),
    ] = None
    """Mean of each colour channel (RGB, of values from 0 to 1) that is subtracted; by default
    the weights' own."""
    std: Annotated[
        tuple[Deviation, Deviation, Deviation] | None,
        Lists,
        must_be("three numbers above 0 and up to 1, for red, green and blue"),
    ] = None
    """Standard deviation of each channel that is divided by; by default the weights' own."""
    value_range: ValueRange = None
    """Least and greatest value of 16-bit images, which become 0 and 255, e.g. `[0, 4095]` where
    they have 12 bits; by default all 16 bits."""
    augment: Literal["flip", "large-scale-jitter", "ssd", "ssdlite", "none"] | None = None
    """A preset of training transforms: mirror; and before that large-scale jitter (resize by 0.1 to
    2, crop or pad); SSD's (distort colours, zoom out, crop around objects); or SSDLite's (that crop
    alone). By default what torchvision trained the model with."""
    photometric_distort: bool = False
    """Whether brightness, contrast, saturation, hue and the order of channels change as well."""
    copy_paste: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of training images into which objects of another one are pasted; needs masks."""
    train_transforms: list[Transform] | None = None
    """Training transforms of uint8 images with boxes and masks, in order, instead of a preset."""


with warnings.catch_warnings():  # that a key's name is a method of pydantic's as well
    warnings.simplefilter("ignore")

    class CocoFile(Section):
        images: Text
        """The folder that file names start from, relative to where training is started."""
        json: Text  # type: ignore[assignment]
        """The JSON file, relative to where training is started."""


CocoFiles = Annotated[
    Annotated[CocoFile, Tag("=one")] | Annotated[list[CocoFile], Field(min_length=1), Tag("=more")],
    ONE_OR_MORE,
]


class Coco(_BoxData):
    """COCO's JSON files: `images`, `annotations` with boxes, polygons or RLE, and `categories`."""

    format: Literal["coco"]
    """How the data lie on disk."""
    train: CocoFiles
    """The training images, as `{ images = "data/train", json = "data/train.json" }`, or a list of
    such tables, whose categories are united by name; each file has its own ids."""
    val: CocoFiles | None = None
    """The validation images, likewise."""
    test: CocoFiles | None = None
    """Images to test on at the end, likewise, which training never sees."""


class _Splits(_BoxData):
    root: Text
    """The data's folder, relative to where training is started."""


class Voc(_Splits):
    """Pascal VOC's folders `Annotations` (XML), `JPEGImages` and `ImageSets`, and for masks
    `SegmentationObject`."""

    format: Literal["voc"]
    """How the data lie on disk."""
    train: Names = "train"
    """The training images' list in `ImageSets/Main` (for masks in `ImageSets/Segmentation`), as
    `"trainval"`; of several folders in `root`, `["VOC2007/trainval", "VOC2012/trainval"]`."""
    val: Names | None = None
    """The validation images' list, likewise; by default `"val"`."""
    test: Names | None = None
    """The list of images to test on at the end, likewise, which training never sees."""


class VocFolders(_Splits):
    """Pascal VOC's XML files, and images in folders that no list names, as labelImg and Roboflow
    write them: boxes only."""

    format: Literal["voc-folders"]
    """How the data lie on disk."""
    train: Names = "train"
    """The training images' folder in `root`, which is `"."` itself, or a list of folders."""
    val: Names | None = None
    """The validation images' folder, likewise; by default `"val"`."""
    test: Names | None = None
    """The folder of images to test on at the end, likewise, which training never sees."""
    xml: Text | None = None
    """The folder in `root` of the XML files, which are called as the images; by default each lies
    beside its image."""


class Cityscapes(_Splits):
    """Cityscapes' folders `leftImg8bit`, and `gtFine` with its `*_instanceIds.png`."""

    format: Literal["cityscapes"]
    """How the data lie on disk."""
    train: Names = "train"
    """The split to train on, or a list of them."""
    val: Names | None = None
    """The split to validate on, likewise; by default `"val"`."""
    test: Names | None = None
    """The split to test on at the end, which training never sees."""


class WiderFace(_Splits):
    """WIDER FACE's folders `WIDER_train`, `WIDER_val` and `wider_face_split`."""

    format: Literal["wider-face"]
    """How the data lie on disk."""
    annotations: Literal["text", "voc"] = "text"
    """`"text"` for its own files `wider_face_*_bbx_gt.txt`, `"voc"` for XML files and lists
    as MMDetection has them."""
    train: Names = "train"
    """The split to train on, or a list of them."""
    val: Names | None = None
    """The split to validate on, likewise; by default `"val"`."""
    test: Names | None = None
    """The split to test on at the end, which training never sees."""


class Yolo(_Splits):
    """YOLO's folders `images` and `labels`, with a text file for each image: lines of a class's
    number and a box's centre and size, or a polygon, as shares of the image's."""

    format: Literal["yolo"]
    """How the data lie on disk."""
    train: Names = "images/train"
    """The training images' folder in `root`, or a text file there of paths from its own folder
    on, or a list of them, as `["images/a", "images/b"]`."""
    val: Names | None = None
    """The validation images' folder, or a text file of their paths; by default `"images/val"`."""
    test: Names | None = None
    """The folder or file of images to test on at the end, which training never sees."""


BoxData = Annotated[
    Annotated[Coco, Tag("coco")]
    | Annotated[Voc, Tag("voc")]
    | Annotated[VocFolders, Tag("voc-folders")]
    | Annotated[Cityscapes, Tag("cityscapes")]
    | Annotated[WiderFace, Tag("wider-face")]
    | Annotated[Yolo, Tag("yolo")],
    variant("format"),
]
