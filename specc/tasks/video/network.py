"""`[model]` of video classification: which network, its weights, and what of it is frozen."""

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from specc.language.model import Network, WeightsFile
from specc.language.section import Text


class VideoWeights(WeightsFile):
    """Weights that need more than a name."""

    layout: Literal["classifier", "mmaction"] | None = None
    """What else than a whole model the file has, for `tsn`: an image classifier, whose layers but
    the last become the backbone; or a TSN as MMAction2 names its tensors."""


class VideoModel(Network):
    name: Text
    """A video model of torchvision, as `"r2plus1d_18"`, or `"tsn"` over any image classifier;
    `specc models --task video-classification` lists them."""
    backbone: Text | None = None
    """`tsn`: the image classifier that looks at the frames, of torchvision or as `timm/NAME`; by
    default `"resnet50"`."""
    weights: Annotated[
        Annotated[Text, Tag("text")] | Annotated[VideoWeights, Tag("table")],
        Discriminator(lambda v: "table" if isinstance(v, dict | VideoWeights) else "text"),
    ] = "default"
    """Pretrained weights: a name that torchvision gives them, for `tsn` those of its backbone;
    `"default"`, `"none"`, a file or URL (`.pth`, `.safetensors`), `package://PACKAGE/FILE`, or a
    table with `source` and what it takes to make its names the model's."""
