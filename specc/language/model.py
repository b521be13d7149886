"""`[model]`: which network, its weights, and what of it is frozen."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from specc.language.section import Count, Positive, Section, Text, must_be

Freeze = Annotated[
    Annotated[int, Field(ge=0)] | Literal["none", "backbone"] | list[Text],
    must_be('"none", "backbone", a number of stages or a list of module names'),
]
Rate = Annotated[float, Field(ge=0, lt=1)]


class WeightsFile(Section):
    source: Text
    """A file, or `package://PACKAGE/FILE` for a file that an installed Python package carries."""
    prefix: Text | None = None
    """What the names of the model's tensors begin with in the file; all others are left out."""
    rename: Annotated[
        dict[Text, Text | Literal[""]], must_be('a table of texts, e.g. { "body." = "" }')
    ] = {}
    """Beginnings of names in the file, and what stands for them in the model, in this order."""


class WeightsSource(WeightsFile):
    """Weights that need more than a name."""

    layout: Literal["efficientnet-pytorch", "openmmlab"] | None = None
    """Who named the tensors, where they do not have the model's own names: efficientnet_pytorch,
    or MMClassification, MMPretrain and the like, whose ResNets are torchvision's."""


class Unfreeze(Section):
    """From some epoch on less is frozen."""

    epoch: Count
    """The number of epochs that are finished by then."""
    freeze: Freeze
    """What stays frozen then, as `freeze` says it: a part of what was."""


class Network(Section):
    """The settings of a classifier of images or videos."""

    name: Text
    weights: Text | WeightsFile = "default"
    freeze: Freeze = "none"
    """What keeps its pretrained weights: `"none"`, `"backbone"` (all but the head), a number n
    (the stem and the first n stages), or names and globs of modules, as `["conv1", "layer1.*"]`."""
    unfreeze: list[Unfreeze] = []
    """When less is frozen, as `[{ epoch = 3, freeze = 2 }, { epoch = 6, freeze = "none" }]`."""
    batch_norm: Literal["eval", "train"] = "train"
    """What all batch norms do: `"eval"` keeps their running statistics (OpenMMLab's `norm_eval`),
    while what is not frozen of them learns its scale and shift; `"train"` does not."""
    dropout: Rate | None = None
    """Share of activations that training zeroes; by default the model's own."""
    drop_path: Rate | None = None
    """Share of residual branches that training skips (stochastic depth), in the last block; by
    default the model's own."""
    init_std: Positive = 0.01
    """Standard deviation of the new head's weights; its biases are 0."""
    num_classes: Annotated[int, Field(ge=2)] | None = None
    """Classes of the data; read from the data where they can be."""


class Model(Network):
    name: Text
    """A model of torchvision, or `timm/NAME` for one of timm's; `specc models` lists them."""
    weights: Annotated[
        Annotated[Text, Tag("text")] | Annotated[WeightsSource, Tag("table")],
        Discriminator(lambda v: "table" if isinstance(v, dict | WeightsSource) else "text"),
    ] = "default"
    """Pretrained weights: a name that torchvision or timm gives them, `"default"`, `"none"`, a file
    or URL (`.pth`, `.safetensors`), `package://PACKAGE/FILE`, or a table with `source` and what it
    takes to make its names the model's."""
