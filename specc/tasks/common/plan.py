"""The input of a template: a project in which every decision is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from specc.tasks.classifier.fit import FitPlan, Size, sides
from specc.tasks.classifier.loss import LossPlan
from specc.tasks.common.code import Call, Name, Setting, python
from specc.tasks.common.held_out import HeldOutPlan
from specc.tasks.common.optimizer import OptimizerPlan

# The steps of weights that look at the model: at the order of its names, or at its shapes.
FITTING = {
    "classification/layouts/efficientnet-pytorch.py",
    "classification/repairs/timm-size.py",
    "classification/repairs/vit-size.py",
}


@dataclass(frozen=True)
class WeightsPlan:
    """The source of pretrained weights, and their names in the model."""

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
    rgb_convs: tuple[str, ...] = ()  # whose weights are RGB's, where the images are not
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
    def rgb_weights(self) -> tuple[str, ...]:
        """The names of RGB's weights in the state."""
        return tuple(f"{name}.weight" for name in self.rgb_convs)

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
        options = {k: v for k, v in self.constructor.options.items() if k != "in_chans"}
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
        """Frozen parameters outside of frozen modules, at the beginning."""
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
        """Prefixes of the names of their tensors: "classifier.6."."""
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
    input_conv: Name | None = None  # "model.conv1", if it is rebuilt for other channels


@dataclass(frozen=True)
class NamedPlan:
    """A dataset of torchvision's, its samples as expressions."""

    first: Call | None  # what one process does before the others: download, unpack
    train: Call
    train_setup: Name | None  # a statement that the samples need
    train_samples: Call
    held_first: Call  # the same of what is evaluated
    held: Call
    held_setup: Name | None
    held_samples: Call
    held_splits: Mapping[str, str]  # torchvision's names of "val" and "test"


@dataclass(frozen=True, kw_only=True)
class SamplesPlan:
    """The samples of a classifier, be they images or clips of videos."""

    root: str
    data_dir: Setting  # the same, with a comment where the reader has to be told more
    num_classes: int
    image_size: Size
    fit: FitPlan
    mean: tuple[float, ...]  # of each channel
    std: tuple[float, ...]
    train_transforms: tuple[Call | Name, ...]
    eval_transforms: tuple[Call | Name, ...]
    eval_batch_size: int
    workers: int
    settings: tuple[Setting, ...]  # of the format
    source_template: str
    train_args: tuple[Name, ...]  # of the function that lists a format's samples
    val_args: tuple[Name, ...]  # () where the validation samples are taken from the others
    test_args: tuple[Name, ...]  # () where none are kept for a test
    held_out: HeldOutPlan
    classes: Name | None  # an expression for their names, of formats in which labels are written
    val_classes: Name | None  # which has to be the same
    eval_classes: Name | None  # and those of what is evaluated, which may be a test
    classes_file: Name | None  # an expression for the text file that names them
    name_classes: bool  # whether they are named after the labels
    labels_are_numbers: bool
    labels_may_be_numbers: bool  # of classes that have names
    val_fraction: float | None
    groups: Name | None  # an expression for those of `train`, which are not divided
    multi_label: bool
    mixup: float | None
    cutmix: float | None
    value_range: tuple[int, int] | None = None  # of 16-bit images
    channels: int = 3
    skip_unreadable: bool = False  # images, rather than stopping
    image_suffix: bool = False  # whether the paths in lists are without it
    # The code's names for the samples; those of images by default.
    clips: bool = False
    read_from: Name = Name("Path")  # the type of that which a sample is made of
    transform: Name = Name("v2.Transform")  # the type of that which makes samples
    train_transform: Name = Name("train_transform")
    eval_transform: Name = Name("eval_transform")

    @property
    def grey(self) -> bool:
        """Whether the images have one channel."""
        return self.channels == 1

    @property
    def bands(self) -> bool:
        """Whether they have the channels of their files, whatever these are."""
        return self.channels not in (1, 3)

    @property
    def depth(self) -> Name:
        """An expression for the number of channels."""
        return Name("CHANNELS" if self.bands else self.channels)

    @property
    def axis(self) -> Name:
        """The number of channels in docstrings."""
        return Name("C" if self.bands else self.channels)

    @property
    def kind(self) -> Name:
        """An adjective for images, before the noun."""
        return Name("" if self.bands else "grey " if self.grey else "RGB ")

    @property
    def mix(self) -> bool:
        return bool(self.mixup or self.cutmix)

    @property
    def rectangle(self) -> bool:
        """Whether IMAGE_SIZE is height and width."""
        return not isinstance(self.image_size, int)

    @property
    def sides(self) -> Name:
        """Height and width, as arguments."""
        return sides(self.image_size)


@dataclass(frozen=True, kw_only=True)
class ImagesPlan(SamplesPlan):
    files: bool  # whether images are files that we read, rather than torchvision
    read_classes: bool  # whether a JSON file tells their names
    named: NamedPlan | None
    transposed: bool  # whether torchvision's images are mirrored at the diagonal
    label_columns: bool  # whether a CSV has a column for each class
    delimiter: bool  # whether something other than a comma stands between its fields
    group_column: bool  # whether a CSV has one


@dataclass(frozen=True)
class BatchesPlan:
    """The drawing of an epoch's samples."""

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
    input_conv: Name | None  # "teacher.conv1", if it is rebuilt for other channels
    path: str
    temperature: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
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
    """The parts that the projects of all tasks have."""

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
    """The parts that the projects of image and video classifiers have."""

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
