"""What a template gets: a project in which every decision is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.plan.code import Call, Name, Setting
from specc.plan.optimizer import OptimizerPlan


@dataclass(frozen=True)
class WeightsPlan:
    """Where pretrained weights come from, and how they are renamed."""

    state: Call | Name  # reads the tensors, by name
    path: Name | str = ""  # of what is no weights' name
    package: str = ""  # that carries them
    fetch: str = ""  # a template that comes first
    pickled: bool = False  # by torch.save, which may have saved anything
    hash: str = ""  # how that of a download has to begin, where torch.hub does not look
    prefix: str = ""  # of the names that are the model's
    renamed: Mapping[str, str] = field(default_factory=dict)  # how names begin: in the file, here
    steps: tuple[str, ...] = ()  # templates that make the names the model's own

    @property
    def safetensors(self) -> bool:
        return bool(self.path) and not self.pickled


@dataclass(frozen=True)
class ModelPlan:
    constructor: Call
    weights: WeightsPlan | None
    heads: tuple[Name, ...]  # the layers that are new: "model.classifier[6]"
    head_prefixes: tuple[str, ...]  # of their tensors' names: "classifier.6."
    head_bias: bool
    init_std: float  # of the heads' weights
    frozen: tuple[str, ...]  # modules, at the beginning
    frozen_parameters: tuple[str, ...]  # that are in no frozen module
    # Modules and parameters that stay frozen after so many epochs, if that changes.
    frozen_by_epoch: Mapping[int, tuple[str, ...]]
    unfreezes: bool
    freezes_parameters: bool  # that are in no frozen module, at any time
    norm_eval: bool  # whether all batch norms keep their statistics
    trains_batch_norm: bool  # at any time
    sync_batch_norm: bool
    convert_sync_batchnorm: Name  # the library's function
    dropout: bool

    @property
    def freezes(self) -> bool:
        """Whether something is frozen at the beginning."""
        return bool(self.frozen or self.frozen_parameters)

    @property
    def head(self) -> Name:
        return self.heads[0]

    @property
    def head_prefix(self) -> str:
        return self.head_prefixes[0]

    @property
    def single_head(self) -> bool:
        return len(self.heads) == 1


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


@dataclass(frozen=True)
class DataPlan:
    root: str
    data_dir: Setting  # the same, with a comment where the reader has to be told more
    num_classes: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    train_transforms: tuple[Call, ...]
    eval_transforms: tuple[Call, ...]
    eval_batch_size: int
    workers: int
    settings: tuple[Setting, ...]  # of the format
    source_template: str
    files: bool  # whether images are files that we read, rather than torchvision
    train_args: tuple[Name, ...]  # of the function that lists a format's images
    val_args: tuple[Name, ...]  # () where the validation samples are taken from the others
    classes: Name | None  # an expression for their names, of formats in which labels are written
    val_classes: Name | None  # which has to be the same
    name_classes: bool  # whether they are named after the labels
    read_classes: bool  # whether a JSON file tells their names
    labels_are_numbers: bool
    labels_may_be_numbers: bool  # of classes that have names
    named: NamedPlan | None
    transposed: bool  # whether torchvision's images are mirrored at the diagonal
    val_fraction: float | None
    multi_label: bool
    label_columns: bool  # whether a CSV has a column for each class
    repeat: int | None
    balance: bool
    redraws: bool  # either of the two: whether a sample may be in an epoch several times
    mixup: float | None
    cutmix: float | None
    mix: bool  # mixup or cutmix
    label_smoothing: float | None


@dataclass(frozen=True)
class TrainPlan:
    seed: int
    epochs: int
    batch_size: int
    micro_batch: int | None  # samples of a process that are computed at once
    settings: tuple[Setting, ...]
    scheduler: Call | None  # called after each step
    one_cycle: bool
    plateau: Call | None  # called with the monitored metric, after each evaluation
    parts: Call  # what a checkpoint holds, by name
    loss: Call
    class_weights: str  # "" | "balanced" | "listed"
    focal: bool  # whether the function focal_loss is needed
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


@dataclass(frozen=True)
class EvaluatePlan:
    metrics: dict[str, Call]  # of torchmetrics, by the name that is printed
    named: bool  # whether there is room for names in a picture of all classes


@dataclass(frozen=True)
class ExportPlan:
    onnx: bool  # or torch.export's own format
    any_size: bool  # whether the model takes images of other sizes


@dataclass(frozen=True)
class LaunchPlan:
    gpus: int | None
    nodes: int
    endpoint: str


@dataclass(frozen=True)
class Plan:
    name: str
    title: Name  # a noun for sentences: "resnet50 for 10 classes"
    model: ModelPlan
    data: DataPlan
    optimizer: OptimizerPlan
    train: TrainPlan
    teacher: TeacherPlan | None
    evaluate: EvaluatePlan
    predicted: int  # classes that are printed for an image
    resizes: bool  # whether predict.py has to, as the eval_transforms are for images of one shape
    export: ExportPlan
    launch: LaunchPlan
    requirements: tuple[str, ...]
    files: Mapping[str, str]  # path in the project: template
