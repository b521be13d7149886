"""`[schedule]`: how long to train, and how the learning rate changes meanwhile."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from specc.language.section import Count, Fraction, Section, variant

Factor = Annotated[float, Field(gt=0, le=1)]


class Warmup(Section):
    """A factor that rises to 1 in equal steps. The schedule runs meanwhile, times this factor."""

    steps: Count | None = None
    """Training steps until it is 1."""
    epochs: Count | None = None
    """Epochs until it is 1, instead of steps."""
    factor: Factor = 0.01
    """The factor of the first step."""


class _Schedule(Section):
    epochs: Count = 20
    """Passes over the training data."""


class _Warmed(_Schedule):
    warmup: Warmup | None = None
    """A slow start."""


class Cosine(_Warmed):
    """From `lr` to 0 along half a cosine, step by step."""

    name: Literal["cosine"] = "cosine"
    """The schedule."""


class Poly(_Warmed):
    """From `lr` to 0 as (1 - share of the steps done) ** `power`."""

    name: Literal["poly"]
    """The schedule."""
    power: Annotated[float, Field(gt=0)] = 0.9
    """1 falls along a line; less, later."""


class MultiStep(_Warmed):
    """`lr`, multiplied by `gamma` after each of some epochs."""

    name: Literal["multistep"]
    """The schedule."""
    milestones: Annotated[list[Count], Field(min_length=1)]
    """The epochs after which the learning rate is multiplied, in rising order."""
    gamma: Factor = 0.1
    """What it is multiplied by."""


class Step(_Warmed):
    """`lr`, multiplied by `gamma` after every `step_size` epochs."""

    name: Literal["step"]
    """The schedule."""
    step_size: Count
    """Epochs of one learning rate."""
    gamma: Factor = 0.1
    """What it is multiplied by."""


class Constant(_Warmed):
    """`lr` throughout."""

    name: Literal["constant"]
    """The schedule."""


class Plateau(_Warmed):
    """`lr`, multiplied by `gamma` when `evaluate.monitor` gets no better for a while."""

    name: Literal["plateau"]
    """The schedule."""
    patience: Annotated[int, Field(ge=0)] = 5
    """Evaluations without a better one that are waited for."""
    gamma: Annotated[Fraction, Field(gt=0, lt=1)] = 0.1
    """What it is multiplied by."""


class OneCycle(_Schedule):
    """Up to `lr` and down to almost 0, along half cosines (arXiv 1708.07120)."""

    name: Literal["onecycle"]
    """The schedule."""
    pct_start: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """The share of the steps in which it rises."""
    div_factor: Annotated[float, Field(gt=1)] = 25.0
    """How much smaller than `lr` it is at first."""


Schedule = Annotated[
    Annotated[Cosine, Tag("cosine")]
    | Annotated[Poly, Tag("poly")]
    | Annotated[MultiStep, Tag("multistep")]
    | Annotated[Step, Tag("step")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Plateau, Tag("plateau")]
    | Annotated[OneCycle, Tag("onecycle")],
    variant("name", default="cosine"),
]
