"""`[optim]`: the optimizer."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from specc.spec.section import Fraction, Positive, Section, must_be, variant


class SGD(Section):
    """torch.optim.SGD."""

    name: Literal["sgd"] = "sgd"
    """The optimizer."""
    lr: Positive = 0.01
    """Learning rate, for the whole `batch_size`."""
    momentum: Fraction = 0.9
    """Momentum."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """L2 penalty on all trained weights."""


class AdamW(Section):
    """torch.optim.AdamW."""

    name: Literal["adamw"]
    """The optimizer."""
    lr: Positive = 1e-3
    """Learning rate, for the whole `batch_size`."""
    betas: Annotated[
        tuple[Fraction, Fraction],
        Field(strict=False),  # TOML has lists only
        must_be("two numbers from 0 to 1"),
    ] = (0.9, 0.999)
    """Decay rates of the running means of the gradient and of its square."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled weight decay on all trained weights."""


Optim = Annotated[
    Annotated[SGD, Tag("sgd")] | Annotated[AdamW, Tag("adamw")],
    variant("name", default="sgd"),
]
