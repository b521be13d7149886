"""What a template gets: a project in which every decision is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.plan.code import Call, Name, Setting


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
    trains_batch_norm: bool  # at any time
    sync_batch_norm: bool
    convert_sync_batchnorm: Name  # the library's function
    dropout: bool

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
class DataPlan:
    root: str
    train_dir: str
    val_dir: str
    num_classes: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    train_transforms: tuple[Call, ...]
    eval_transforms: tuple[Call, ...]
    eval_batch_size: int
    workers: int
    source: Name  # torchvision's class
    source_template: str


@dataclass(frozen=True)
class TrainPlan:
    seed: int
    epochs: int
    batch_size: int
    settings: tuple[Setting, ...]  # of optimizer and schedule
    optimizer: Call
    scheduler: Call
    log_every: int
    checkpoint_every: int
    deterministic: bool
    tensorboard: bool


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
    train: TrainPlan
    topk: tuple[int, ...]  # accuracies to measure
    predicted: int  # classes that are printed for an image
    name_confused: bool  # whether there is room for names in a picture of the confusion matrix
    launch: LaunchPlan
    requirements: tuple[str, ...]
    files: Mapping[str, str]  # path in the project: template
