"""What a template gets: a project in which every decision is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from specc.tasks.classifier.loss import LossPlan
from specc.tasks.common.code import Call, Name, Setting, python
from specc.tasks.common.optimizer import OptimizerPlan

# The steps of weights that look at the model: at the order of its names, or at its shapes.
FITTING = {
    "classification/layouts/efficientnet-pytorch.py",
    "classification/repairs/timm-size.py",
    "classification/repairs/vit-size.py",
}


@dataclass(frozen=True)
class WeightsPlan:
    """Where pretrained weights come from, and how they are renamed."""

    state: Call | Name  # reads the tensors, by name
    path: Name | str = ""  # of what is no weights' name
    package: str = ""  # that carries them
    fetch: str = ""  # a template that comes first
    file: bool = False  # whose tensors may be wrapped in what else a tool saves
    hash: str = ""  # how that of a download has to begin, where torch.hub does not look
    prefix: str = ""  # of the names that are the model's
    renamed: Mapping[str, str] = field(default_factory=dict)  # how names begin: in the file, here
    resize: Name = Name("")  # timm's function that fits tensors of another size of images
    network: Name = Name("model")  # what has positions to be fitted
    steps: tuple[str, ...] = ()  # templates that make the names the model's own

    @property
    def fits(self) -> bool:
        """Whether tensors are made to fit the model, which has to be known for that."""
        return bool(FITTING.intersection(self.steps))

    @property
    def safetensors(self) -> bool:
        return isinstance(self.state, Call) and self.state.function.startswith("safetensors.")


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    constructor: Call
    weights: WeightsPlan | None
    head_layers: tuple[str, ...]  # the layers that are new: "classifier.6"
    new_head: bool  # whether they are, where there are pretrained weights
    # Modules, and parameters in none of them, that are frozen from so many epochs on.
    freezing: Mapping[int, tuple[tuple[str, ...], tuple[str, ...]]]
    norm_eval: bool  # whether all batch norms keep their statistics
    norm_frozen: bool  # and their scales and shifts as well
    norm_eps: float | None  # where it is another one than usual
    trains_batch_norm: bool  # at any time
    sync_batch_norm: bool
    convert_sync_batchnorm: Name  # the library's function
    draws: bool  # random numbers, in training

    @property
    def pretrained(self) -> bool:
        return self.weights is not None

    @property
    def reads_file(self) -> bool:
        """Whether its weights are in a file, rather than a library's own."""
        return self.weights is not None and self.weights.file

    @property
    def published_classes(self) -> int:
        return 1000  # ImageNet's

    @property
    def published(self) -> Name:
        """An expression for the tensors of a network with another head, as published ones have."""
        options = self.constructor.options
        if self.new_head and "num_classes" in options:
            options = options | {"num_classes": self.published_classes}
        network = replace(self.constructor, options=options)
        return Name(f"{python(network)}.state_dict()")

    @property
    def freezes(self) -> bool:
        """Whether something is frozen at the beginning."""
        return bool(self.frozen or self.frozen_parameters or self.norm_frozen)

    @property
    def frozen(self) -> tuple[str, ...]:
        """Modules that are frozen at the beginning."""
        return self.freezing[0][0]

    @property
    def frozen_parameters(self) -> tuple[str, ...]:
        """Those that are in no frozen module, at the beginning."""
        return self.freezing[0][1]

    @property
    def frozen_by_epoch(self) -> dict[int, tuple[str, ...]]:
        return {epoch: (*names, *others) for epoch, (names, others) in self.freezing.items()}

    @property
    def unfreezes(self) -> bool:
        return len(self.freezing) > 1

    @property
    def freezes_parameters(self) -> bool:
        """Whether some that are in no frozen module are frozen at any time."""
        return any(others for _, others in self.freezing.values())

    @property
    def heads(self) -> tuple[Name, ...]:
        """The new layers as expressions: "model.classifier[6]"."""
        return tuple(Name("model." + re.sub(r"\.(\d+)", r"[\1]", it)) for it in self.head_layers)

    @property
    def head_prefixes(self) -> tuple[str, ...]:
        """Of the names of their tensors: "classifier.6."."""
        return tuple(f"{layer}." for layer in self.head_layers)

    @property
    def head(self) -> Name:
        return self.heads[0]

    @property
    def head_prefix(self) -> str:
        return self.head_prefixes[0]

    @property
    def single_head(self) -> bool:
        return len(self.head_layers) == 1


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan(ModelPlan):
    head_bias: bool
    init_std: float  # of the heads' weights


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
class NamedPlan:
    """A dataset of torchvision's, its samples as expressions."""

    first: tuple[Call, ...]  # what one process does before the others: download, unpack
    train: Call
    train_setup: Name | None  # a statement that the samples need
    train_samples: Call
    val: Call | None  # None where the validation samples are taken from the training samples
    val_setup: Name | None
    val_samples: Call | None


@dataclass(frozen=True, kw_only=True)
class SamplesPlan:
    """The samples of a classifier, be they images or clips of videos."""

    root: str
    data_dir: Setting  # the same, with a comment where the reader has to be told more
    num_classes: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    train_transforms: tuple[Call | Name, ...]
    eval_transforms: tuple[Call, ...]
    eval_batch_size: int
    workers: int
    settings: tuple[Setting, ...]  # of the format
    source_template: str
    train_args: tuple[Name, ...]  # of the function that lists a format's samples
    val_args: tuple[Name, ...]  # () where the validation samples are taken from the others
    classes: Name | None  # an expression for their names, of formats in which labels are written
    val_classes: Name | None  # which has to be the same
    name_classes: bool  # whether they are named after the labels
    labels_are_numbers: bool
    labels_may_be_numbers: bool  # of classes that have names
    val_fraction: float | None
    multi_label: bool
    mixup: float | None
    cutmix: float | None
    value_range: tuple[int, int] | None = None  # of 16-bit images
    skip_unreadable: bool = False  # images, rather than stopping
    image_suffix: bool = False  # whether the paths in lists are without it
    # What the code says of the samples; of images, if nothing else is said.
    clips: bool = False
    read_from: Name = Name("Path")  # the type of that which a sample is made of
    transform: Name = Name("v2.Transform")  # the type of that which makes samples
    train_transform: Name = Name("train_transform")
    eval_transform: Name = Name("eval_transform")

    @property
    def mix(self) -> bool:
        return bool(self.mixup or self.cutmix)


@dataclass(frozen=True, kw_only=True)
class ImagesPlan(SamplesPlan):
    files: bool  # whether images are files that we read, rather than torchvision
    read_classes: bool  # whether a JSON file tells their names
    named: NamedPlan | None
    transposed: bool  # whether torchvision's images are mirrored at the diagonal
    label_columns: bool  # whether a CSV has a column for each class
    delimiter: bool  # whether something other than a comma stands between its fields


@dataclass(frozen=True)
class BatchesPlan:
    """How the samples of an epoch are drawn."""

    repeat: bool  # whether an epoch passes over them several times
    balance: bool = False  # whether each class is drawn equally often
    grouped: bool = False  # whether wide and tall images come in different batches
    mix: bool = False  # whether a process's share is blended in pairs

    @property
    def redraws(self) -> bool:
        """Whether a sample may be in an epoch several times."""
        return self.repeat or self.balance


@dataclass(frozen=True)
class TrainPlan:
    seed: int
    epochs: int
    batch_size: int
    micro_batch: int | None  # samples of a process that are computed at once
    settings: tuple[Setting, ...]
    scheduler: Call | None  # called after each step
    plateau: Call | None  # called with the monitored metric, after each evaluation
    initial_lr: Name  # of a `group` of parameters, before any schedule
    parts: Call  # what a checkpoint holds, by name
    recorded: Name  # what is noted of a step's loss
    classes: Name  # their names
    amp: Name | None  # the type that torch.autocast computes in
    scaler: bool
    compile: bool
    channels_last: bool
    ema: bool
    evaluated: Name  # the model that is evaluated, and saved as the best
    evaluate_every: int
    monitor: str  # the metric by which it is the best
    monitor_falls: bool
    worst: Name | float  # that metric before the first evaluation
    early_stop: int | None
    log_every: int
    checkpoint_steps: int
    checkpoint_every: int | None
    keep: int | None
    deterministic: bool
    logs: bool  # to any of the next three
    tensorboard: bool
    wandb: str | None
    mlflow: str | None


@dataclass(frozen=True)
class TeacherPlan:
    title: Name
    constructor: Call
    path: str
    temperature: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    renormalizes: bool  # whether these are other ones than the model's

    @property
    def inputs(self) -> Name:
        return Name("renormalized(inputs)" if self.renormalizes else "inputs")


@dataclass(frozen=True)
class EvaluatePlan:
    metrics: dict[str, Call]  # of torchmetrics, by the name that is printed
    by_class: bool  # whether some are of each class, and their mean is printed
    named: bool  # whether there is room for names in a picture of all classes
    monitor: str  # the one that says which model is best
    views: bool = False  # whether there are several of a sample


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
    subset: bool  # whether objects of other classes are left out, or are a problem
    masks: bool
    areas: bool  # of objects, as the file says
    ids: bool  # whether a file numbers images and classes
    several: bool  # such files in a part, each with its own ids
    several_val: bool  # that number the images to validate on
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
    keep_empty: bool
    min_size: float | None
    fix: bool  # what is wrong, rather than stopping
    images: int  # to train on, at most, if known
    requirements: frozenset[str]

    @property
    def num_classes(self) -> int:
        """How many the model counts."""
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


@dataclass(frozen=True)
class ExportPlan:
    onnx: bool  # or torch.export's own format
    any_size: bool  # whether the model takes images of other sizes
    inputs: str  # the name of the input: "images"
    shape: Name  # of one


@dataclass(frozen=True)
class LaunchPlan:
    gpus: int | None
    nodes: int
    endpoint: str
    cpu: int | None = None  # processes on the CPU of this machine instead


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the projects of all tasks have."""

    name: str
    title: Name  # a noun for sentences: "resnet50 for 10 classes"
    folder: str  # of the task's templates
    loop: str  # of the templates that are parts of train.py
    sample: Name = Name("image")  # what a sample is
    is_sample: Name = Name("is_image_file")  # the function that knows its files by their names
    data_folder: Name = Name("data_folder")  # the function that takes what --data names
    model: ModelPlan
    batches: BatchesPlan
    optimizer: OptimizerPlan
    train: TrainPlan
    launch: LaunchPlan
    requirements: tuple[str, ...]
    files: Mapping[str, str]  # path in the project: template


@dataclass(frozen=True, kw_only=True)
class ClassesPlan(Plan):
    """What the projects of image and video classifiers have."""

    model: ClassifierPlan
    data: SamplesPlan
    loss: LossPlan
    teacher: TeacherPlan | None
    evaluate: EvaluatePlan
    export: ExportPlan
    predicted: int  # classes that are printed for a sample


@dataclass(frozen=True, kw_only=True)
class ClassificationPlan(ClassesPlan):
    data: ImagesPlan
    resizes: bool  # whether predict.py has to, as the eval_transforms are for images of one shape


@dataclass(frozen=True, kw_only=True)
class DetectionPlan(Plan):
    model: DetectorPlan
    annotations: AnnotationsPlan
    data: BoxDataPlan
    evaluate: EvaluateBoxesPlan
    export: ExportBoxesPlan
