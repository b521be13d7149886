"""What a template gets: a project in which every decision is made."""

from collections.abc import Mapping
from dataclasses import dataclass

from specc.plan.code import Call, Name, Setting


@dataclass(frozen=True)
class WeightsPlan:
    """Where pretrained weights come from, and how they are renamed."""

    kind: str  # "torchvision" | "file" | "url" | "package"
    name: Name = Name()  # torchvision: "models.ResNet18_Weights.IMAGENET1K_V1"
    path: Name | str = ""  # of the other kinds
    package: str = ""  # that carries them
    check_hash: bool = False  # of a URL whose last part carries one
    layout: str = ""  # "efficientnet-pytorch"; "" where tensors have the model's names


@dataclass(frozen=True)
class ModelPlan:
    constructor: Call
    weights: WeightsPlan | None
    head: Name  # the layer that is new: "model.classifier[6]"
    head_prefix: str  # of its tensors' names: "classifier.6."
    head_bias: bool
    init_std: float  # of the head's weights
    frozen: tuple[str, ...]  # modules
    frozen_parameters: tuple[str, ...]  # that are in no frozen module
    trains_batch_norm: bool
    sync_batch_norm: bool
    dropout: bool


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
    multi_label: bool = False  # whether an image has any number of classes, or just one


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
    train: TrainPlan
    topk: tuple[int, ...]  # accuracies to measure
    predicted: int  # classes that are printed for an image
    resizes: bool  # whether predict.py has to, as the eval_transforms are for images of one shape
    name_confused: bool  # whether there is room for names in a picture of the confusion matrix
    export: ExportPlan
    launch: LaunchPlan
    requirements: tuple[str, ...]
    files: Mapping[str, str]  # path in the project: template
