"""The channels of a classifier's images, and all that depends on their number."""

import re
from collections.abc import Sequence

from specc.catalog import models as catalog
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Emnist, NamedData
from specc.tasks.classification.language import Classification
from specc.tasks.common.code import Name, Setting
from specc.tasks.common.transforms import IMAGENET_MEAN, IMAGENET_STD, POLICIES

# Transforms of torchvision's that mix colours, or take images of 1 or 3 channels only.
OF_COLOURS = {
    *("AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"),
    *("ColorJitter", "RandomAdjustSharpness", "RandomAutocontrast", "RandomPhotometricDistort"),
    *("Grayscale", "RandomGrayscale", "RGB", "JPEG"),
}


def plan_channels(spec: Classification, problems: Problems) -> tuple[Setting, ...]:
    """Return the setting for the channels of the files, and report keys that do not go with it."""
    data, key = spec.data, ("data", "channels")
    for name in ("train_transforms", "eval_transforms"):
        for index, transform in enumerate(getattr(data, name) or ()):
            _check_transform(transform.name, transform.arguments, (name, index), spec, problems)
    if data.channels in (1, 3):
        return ()
    if isinstance(data, NamedData | Emnist):
        message = "torchvision's datasets are of RGB or grey images; write 3 or 1"
        problems.add(key, message, ("data", "format"))
    for name in ("color_jitter", "augment"):
        value = getattr(data, name)
        if value and (name == "color_jitter" or value in POLICIES):
            message = f"is for RGB or grey images, not for {data.channels} channels; leave it out"
            problems.add(("data", name), message, key)
    return (Setting("CHANNELS", data.channels, "of an image; as many are in MEAN and STD"),)


def _check_transform(
    name: str,
    arguments: dict[str, object],
    place: tuple[str, int],
    spec: Classification,
    problems: Problems,
) -> None:
    """Report a transform that fails on the images' channels, or changes their number."""
    channels, key = spec.data.channels, ("data", *place)
    if channels == 3:
        return
    grey = channels == 1 and name != "RGB" and arguments.get("num_output_channels", 1) == 1
    if name in OF_COLOURS and not grey:
        images = "grey images" if channels == 1 else f"images of {channels} channels"
        problems.add((*key, "name"), f"{name} does not go with {images}", ("data", "channels"))
    for argument in ("fill", "value"):
        colour = arguments.get(argument)
        if isinstance(colour, list) and len(colour) not in (1, channels):
            message = _too_many(len(colour), channels)
            problems.add((*key, argument), message, ("data", "channels"))


def plan_statistics(
    spec: Classification, weights: catalog.Weights | None, problems: Problems
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Decide on the mean and standard deviation of each channel, as many as there are."""
    data = spec.data
    mean = agreed(data.mean, ("data", "mean"), data.channels, problems)
    std = agreed(data.std, ("data", "std"), data.channels, problems)
    if data.channels in (1, 3):
        default_mean, default_std = published(weights, data.channels)
        return mean or default_mean, std or default_std
    for name, value in (("mean", data.mean), ("std", data.std)):
        if value is None:
            example = f"[{', '.join(['0.5'] * min(data.channels, 4))}{', …' * (data.channels > 4)}]"
            message = f"is known of RGB and grey images only; write e.g. {name} = {example}"
            problems.add(("data", name), message, ("data", "channels"))
    return mean, std


def agreed(
    values: Sequence[float] | None, key: Key, channels: int, problems: Problems
) -> tuple[float, ...]:
    """Return a number for each channel, () if none are given; report another number of them."""
    if values is not None and len(values) != channels:
        problems.add(key, _too_many(len(values), channels), ("data", "channels"))
    return tuple(values or ())


def published(
    weights: catalog.Weights | None, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation that weights are used with.

    For grey images these are the means over the colours, as timm has it.
    """
    mean, std = (weights.mean, weights.std) if weights else (IMAGENET_MEAN, IMAGENET_STD)
    if channels == 3:
        return mean, std
    return (round(sum(mean) / 3, 4),), (round(sum(std) / 3, 4),)


def rgb_convs(
    model: catalog.Classifier, key: Key, channels: int, problems: Problems
) -> tuple[str, ...]:
    """Return the convolutions whose weights have to become those of other channels.

    Args:
        key: the one that names the model.
    """
    if channels == 3:
        return ()
    if not model.input_convs:
        message = f"{model.name} takes RGB images only; leave channels out"
        problems.add(key, message, ("data", "channels"))
    return model.input_convs


def rebuilt(model: catalog.Classifier, convs: Sequence[str], network: str) -> Name | None:
    """Return an expression for the convolution that is rebuilt; timm rebuilds its own."""
    if not convs or model.library == "timm":
        return None
    return Name(re.sub(r"\.(\d+)", r"[\1]", f"{network}.{convs[0]}"))


def _too_many(numbers: int, channels: int) -> str:
    """Say that a list has not a number for each channel."""
    has = "1 number" if numbers == 1 else f"{numbers} numbers"
    return f"has {has}, and an image {channels} channel{'s' * (channels > 1)}"
