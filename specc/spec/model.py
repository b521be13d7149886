"""`[model]`: which network, its weights, and what of it is frozen."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from specc.spec.section import Positive, Section, Text, must_be


class WeightsSource(Section):
    """Weights that need more than a name."""

    source: Text
    """A file, or `package://PACKAGE/FILE` for a file that an installed Python package carries."""
    layout: Literal["efficientnet-pytorch"] | None = None
    """Who named the tensors, where they do not have the model's own names."""


class Model(Section):
    name: Text
    """A model of torchvision, or `timm/NAME` for one of timm's; `specc models` lists them."""
    weights: Annotated[
        Annotated[Text, Tag("text")] | Annotated[WeightsSource, Tag("table")],
        Discriminator(lambda v: "table" if isinstance(v, dict | WeightsSource) else "text"),
    ] = "default"
    """Pretrained weights: a name that torchvision gives them, `"default"`, `"none"`, a file,
    `package://PACKAGE/FILE`, or a table with `source` and `layout`."""
    freeze: Annotated[
        Annotated[int, Field(ge=0)] | Literal["none", "backbone"] | list[Text],
        must_be('"none", "backbone", a number of stages or a list of module names'),
    ] = "none"
    """What keeps its pretrained weights: `"none"`, `"backbone"` (all but the head), a number n
    (the stem and the first n stages), or names and globs of modules, as `["conv1", "layer1.*"]`."""
    init_std: Positive = 0.01
    """Standard deviation of the new head's weights; its biases are 0."""
    num_classes: Annotated[int, Field(ge=2)] | None = None
    """Classes of the data; read from the data where they can be."""
