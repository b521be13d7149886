"""`[data]`: where the images are, and what is done to them before the model sees them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Tag

from specc.spec.section import Positive, Section, Text, must_be, variant

Lists = Field(strict=False)  # for tuples, as TOML has lists only


class Transform(Section):
    """A transform of torchvision.transforms.v2: its name, and its arguments as further keys."""

    model_config = ConfigDict(extra="allow")

    name: Text
    """A class of torchvision.transforms.v2."""

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class _Data(Section):
    image_size: Annotated[int, Field(ge=8)] | None = None
    """Height and width of the model's input in pixels; by default what the weights were
    evaluated at."""
    mean: Annotated[
        tuple[float, float, float] | None,
        Lists,
        must_be("three numbers, for red, green and blue"),
    ] = None
    """Mean of each colour channel (RGB, of values from 0 to 1) that is subtracted; by default
    the weights' own."""
    std: Annotated[
        tuple[Positive, Positive, Positive] | None,
        Lists,
        must_be("three numbers above 0, for red, green and blue"),
    ] = None
    """Standard deviation of each channel that is divided by; by default the weights' own."""
    augment: Literal["random-resized-crop", "flip", "none"] | None = None
    """A preset of training transforms, `"random-resized-crop"` if nothing is said."""
    train_transforms: list[Transform] | None = None
    """Training transforms of uint8 images, in order, instead of a preset."""
    eval_transforms: list[Transform] | None = None
    """Evaluation transforms of uint8 images, in order; by default resize and centre crop."""


class ImageFolder(_Data):
    """Images in one folder a class: `root/train/CLASS/IMAGE`, `root/val/CLASS/IMAGE`."""

    format: Literal["imagefolder"]
    """How the data lie on disk."""
    root: Text
    """The data's folder, relative to where training is started."""
    train: Text = "train"
    """The training images' folder in `root`."""
    val: Text = "val"
    """The validation images' folder in `root`."""


class Cifar10(_Data):
    """CIFAR-10 as torchvision reads it, downloaded where it is missing."""

    format: Literal["cifar10"]
    """How the data lie on disk."""
    root: Text = "data"
    """The folder of `cifar-10-batches-py`, relative to where training is started."""


Data = Annotated[
    Annotated[ImageFolder, Tag("imagefolder")] | Annotated[Cifar10, Tag("cifar10")],
    variant("format"),
]
