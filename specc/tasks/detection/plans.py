"""The plans of detection's templates, beside those of all tasks."""

from dataclasses import dataclass

from specc.tasks.common.code import Call, Name, Setting, python
from specc.tasks.common.held_out import HeldOutPlan
from specc.tasks.common.plan import ModelPlan, Plan


@dataclass(frozen=True, kw_only=True)
class DetectorPlan(ModelPlan):
    masks: bool  # whether it finds masks as well
    fixed_size: bool  # whether all images are resized to one
    backbone_weights: Call | None  # the detector with a trained backbone, where only that is
    mmdet: bool  # whether it is built as MMDetection does
    caffe: bool  # with the strides of Caffe's ResNet

    @property
    def pretrained(self) -> bool:
        return self.weights is not None or self.backbone_weights is not None

    @property
    def published_classes(self) -> int:
        return 91  # COCO's, as torchvision counts them

    @property
    def published(self) -> Name:
        if self.backbone_weights is None:
            return super().published
        return Name(f"{python(self.constructor)}.backbone.state_dict()")


@dataclass(frozen=True)
class AnnotationsPlan:
    """The files that say what is in the images of a detector."""

    root: str
    data_dir: Setting  # the same
    classes: tuple[str, ...]  # the background first, where the model counts it
    named: Name  # an expression for the classes without the background
    settings: tuple[Setting, ...]
    template: str  # of the format
    train: Call | Name  # which reads the training images
    val: Call | Name | None  # None where the validation images are taken from them
    test: Call | Name | None
    held_out: HeldOutPlan
    subset: bool  # whether objects of other classes are left out, or are a problem
    masks: bool
    areas: bool  # of objects, as the file says
    ids: bool  # whether a file numbers images and classes
    several: bool  # such files in a part, each with its own ids
    several_val: bool  # that number the images to evaluate on
    sizes: bool  # of images, as the files say
    polygons: bool  # masks that are polygons or RLE
    numbered: bool  # masks that are images of numbers
    difficult: bool  # whether objects neither hit nor missed count as in VOC, not as crowds
    reads_lines: bool  # of text files
    cuts: bool  # boxes at the image's border, as not all have to be inside
    keypoints: bool  # after the boxes of YOLO's labels
    folders: bool  # of YOLO's images, or of those beside VOC's XML files
    xml: bool  # whether VOC's files are in a folder of their own
    lists: bool  # of YOLO's images
    numbers: Name  # an expression for those of YOLO's classes
    val_fraction: float | None
    groups: Name | None  # an expression for those of `records`, which are not divided
    keep_empty: bool
    min_size: float | None
    fix: bool  # what is wrong, rather than stopping
    images: int  # to train on, at most, if known
    requirements: frozenset[str]

    @property
    def num_classes(self) -> int:
        """The number of classes that the model counts."""
        return len(self.classes)


@dataclass(frozen=True)
class BoxDataPlan:
    """The images of a detector."""

    settings: tuple[Setting, ...]
    workers: int
    train_transforms: tuple[Call, ...]
    resizes: bool  # whether they bring the training images to their size, rather than the model
    masks: bool
    copy_paste: bool
    value_range: tuple[int, int] | None  # of 16-bit images
    grey: bool = False  # whether images have one channel
    bands: bool = False  # or as many as their files


@dataclass(frozen=True)
class EvaluateBoxesPlan:
    masks: bool
    loss: bool
    max_detections: int  # of an image, that count
    two_stage: bool  # whether proposals are sampled for the loss
    background: bool  # whether class 0 is that
    named: bool  # whether there is room for the names of all classes in a picture


@dataclass(frozen=True)
class ExportBoxesPlan:
    masks: bool
    two_stage: bool  # whether boxes are found in two steps, the first of which may find none
    resizes: bool  # whether the model brings images to a size that depends on their shapes


@dataclass(frozen=True, kw_only=True)
class DetectionPlan(Plan):
    model: DetectorPlan
    annotations: AnnotationsPlan
    data: BoxDataPlan
    evaluate: EvaluateBoxesPlan
    export: ExportBoxesPlan
