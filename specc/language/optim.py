"""`[optim]`: the optimizer."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from specc.language.section import Fraction, Positive, Section, Text, must_be, variant

NotNegative = Annotated[float, Field(ge=0)]
Betas = Annotated[
    tuple[Fraction, Fraction],
    Field(strict=False),  # TOML has lists only
    must_be("two numbers from 0 to 1"),
]


class Group(Section):
    """Parameters with settings of their own."""

    match: Text
    """A name or glob of modules or parameters, as `"layer4"` or `"*.bias"`."""
    lr: Positive | None = None
    """Their learning rate; by default what they would have otherwise."""
    weight_decay: NotNegative | None = None
    """Their weight decay; by default what they would have otherwise."""


class _Optim(Section):
    head_lr: Positive | None = None
    """Learning rate of the new head; by default `lr`."""
    layer_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """What the learning rate is multiplied by from each stage of the model to the one before it,
    going from the head to the stem."""
    groups: Annotated[list[Group], Field(min_length=1)] | None = None
    """Parameters with settings of their own; the first group that matches counts."""
    no_decay: Annotated[list[Text], Field(min_length=1)] | None = None
    """What has no weight decay: `"norm"` (scales of norm layers, and what else the model's authors
    leave out: class tokens, position embeddings and tables, layer scales), `"bias"`, and names or
    globs of modules or parameters."""
    clip_norm: Positive | None = None
    """The largest norm of the gradient of all parameters together; a longer one is shortened."""


class SGD(_Optim):
    """torch.optim.SGD."""

    name: Literal["sgd"] = "sgd"
    """The optimizer."""
    lr: Positive = 0.01
    """Learning rate, for the whole `batch_size`."""
    momentum: Fraction = 0.9
    """Momentum."""
    nesterov: bool = False
    """Whether the momentum is Nesterov's."""
    weight_decay: NotNegative = 1e-4
    """L2 penalty on the trained weights."""


class _Adaptive(_Optim):
    lr: Positive = 1e-3
    """Learning rate, for the whole `batch_size`."""
    betas: Betas = (0.9, 0.999)
    """Decay rates of the running means of the gradient and of its square."""


class Adam(_Adaptive):
    """torch.optim.Adam."""

    name: Literal["adam"]
    """The optimizer."""
    weight_decay: NotNegative = 0.0
    """L2 penalty on the trained weights."""


class AdamW(_Adaptive):
    """torch.optim.AdamW."""

    name: Literal["adamw"]
    """The optimizer."""
    weight_decay: NotNegative = 0.01
    """Decoupled weight decay of the trained weights."""


class NAdam(_Adaptive):
    """torch.optim.NAdam: Adam with Nesterov's momentum."""

    name: Literal["nadam"]
    """The optimizer."""
    weight_decay: NotNegative = 0.0
    """L2 penalty on the trained weights."""


class RMSprop(_Optim):
    """torch.optim.RMSprop."""

    name: Literal["rmsprop"]
    """The optimizer."""
    lr: Positive = 1e-3
    """Learning rate, for the whole `batch_size`."""
    alpha: Fraction = 0.99
    """Decay rate of the running mean of the squared gradient."""
    momentum: Fraction = 0.0
    """Momentum."""
    weight_decay: NotNegative = 0.0
    """L2 penalty on the trained weights."""


class Adagrad(_Optim):
    """torch.optim.Adagrad."""

    name: Literal["adagrad"]
    """The optimizer."""
    lr: Positive = 0.01
    """Learning rate, for the whole `batch_size`."""
    weight_decay: NotNegative = 0.0
    """L2 penalty on the trained weights."""


class Lamb(_Adaptive):
    """timm's LAMB, for large batches (arXiv 1904.00962)."""

    name: Literal["lamb"]
    """The optimizer."""
    weight_decay: NotNegative = 0.01
    """Weight decay of the trained weights."""


class Muon(_Optim):
    """timm's Muon: orthogonal steps for matrices and kernels, AdamW's for all else."""

    name: Literal["muon"]
    """The optimizer."""
    lr: Positive = 0.02
    """Learning rate, for the whole `batch_size`."""
    momentum: Fraction = 0.95
    """Momentum."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay of the trained weights."""


Optim = Annotated[
    Annotated[SGD, Tag("sgd")]
    | Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[NAdam, Tag("nadam")]
    | Annotated[RMSprop, Tag("rmsprop")]
    | Annotated[Adagrad, Tag("adagrad")]
    | Annotated[Lamb, Tag("lamb")]
    | Annotated[Muon, Tag("muon")],
    variant("name", default="sgd"),
]
