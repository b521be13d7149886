"""`[schedule]`: how long to train, and how the learning rate changes meanwhile."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from specc.spec.section import Count, Fraction, Section, variant


class _Schedule(Section):
    epochs: Count = 20
    """Passes over the training data."""


class Cosine(_Schedule):
    """From `lr` to 0 along half a cosine, step by step."""

    name: Literal["cosine"] = "cosine"
    """The schedule."""


class MultiStep(_Schedule):
    """`lr`, multiplied by `gamma` after each of some epochs."""

    name: Literal["multistep"]
    """The schedule."""
    milestones: Annotated[list[Count], Field(min_length=1)]
    """The epochs after which the learning rate is multiplied, in rising order."""
    gamma: Annotated[Fraction, Field(gt=0)] = 0.1
    """What it is multiplied by."""


class Constant(_Schedule):
    """`lr` throughout."""

    name: Literal["constant"]
    """The schedule."""


Schedule = Annotated[
    Annotated[Cosine, Tag("cosine")]
    | Annotated[MultiStep, Tag("multistep")]
    | Annotated[Constant, Tag("constant")],
    variant("name", default="cosine"),
]
