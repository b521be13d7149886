"""The transforms of training and evaluation images."""

import math
from collections.abc import Sequence
from typing import Any

from specc.catalog import transforms as catalog
from specc.catalog.models import Weights
from specc.catalog.videos import VideoWeights
from specc.source.diagnostics import choices, nearest, show
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Prepared, Transform
from specc.tasks.common.code import Call, Name
from specc.tasks.detection.formats.language import BoxData

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list of numbers",
}
# torchvision's transforms that may not be listed: conversions to float.
CONVERSIONS = {"ConvertImageDtype", "Normalize", "PILToTensor", "ToDtype", "ToImage", "ToTensor"}
# Presets that are a policy of torchvision's. On tensors it cannot do better than bilinear.
POLICIES = {
    "rand-augment": "v2.RandAugment",
    "trivial-augment": "v2.TrivialAugmentWide",
    "auto-augment": "v2.AutoAugment",
    "aug-mix": "v2.AugMix",
}
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Transforms of one size to several.
RESHAPING = {"RandomResize", "RandomShortestSize", "RandomZoomOut", "ScaleJitter"}


def check_preset(data: Prepared | BoxData, names: Sequence[str], problems: Problems) -> None:
    """Report keys that are a preset of training transforms, or part of one, beside a list of them.

    Args:
        names: the keys of [data] that are set.
    """
    for name in names if data.train_transforms is not None else ():
        problems.add(("data", name), "contradicts train_transforms; leave one of the two out")


def augmented(
    cropped: Sequence[Call | Name],
    preset: str,
    data: Prepared,
    mean: Sequence[float],
    *,
    flip: bool,
) -> tuple[Call | Name, ...]:
    """Return the training transforms of a preset, and of the keys that add to it.

    Args:
        cropped: what brings the samples to their size.
        flip: whether half of them are mirrored.
    """
    calls = [*cropped]
    if flip:
        calls.append(Call("v2.RandomHorizontalFlip"))
    if data.color_jitter:
        names = ("brightness", "contrast", "saturation")
        calls.append(Call("v2.ColorJitter", (), dict.fromkeys(names, data.color_jitter)))
    if preset in POLICIES:
        calls.append(Call(POLICIES[preset], (), {"interpolation": mode("bilinear")}))
    if data.random_erasing:
        color = [round(255 * value) for value in mean]  # so 0 once it is normalised
        options = {"p": data.random_erasing, "value": color}
        calls.append(Call("v2.RandomErasing", (), options))
    return tuple(calls)


def interpolation(weights: Weights | VideoWeights | None) -> dict[str, Any]:
    if weights is None or weights.interpolation == "bilinear":  # torchvision's own default
        return {}
    return {"interpolation": mode(weights.interpolation)}


def mode(name: str) -> Name:
    return Name(f"v2.InterpolationMode.{name.upper().replace('-', '_')}")


def sides(transform: Transform) -> list[int]:
    """Return the sides that `size` asks for: one, or height and width; none if it is invalid."""
    size = transform.arguments.get("size")
    numbers: list[Any] = size if isinstance(size, list) else [size]
    return numbers if len(numbers) in (1, 2) and all(map(_is_side, numbers)) else []


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def last_sized(transforms: Sequence[Transform]) -> int | None:
    """Return the index of the transform that decides how large the images are in the end."""
    return max((index for index, it in enumerate(transforms) if sides(it)), default=None)


def checked(transforms: Sequence[Transform], key: Key, problems: Problems) -> tuple[Call, ...]:
    """Return the transforms that a spec lists, checked against torchvision's signatures."""
    return tuple(_checked(it, (*key, index), problems) for index, it in enumerate(transforms))


def listed(
    transforms: Sequence[Transform], key: Key, *, same_shape: bool, problems: Problems
) -> tuple[Call, ...]:
    """Return the transforms that a spec lists, checked to give images of which batches can be made.

    `same_shape` says that all images of the data have one shape, so that they need not be
    brought to one.
    """
    calls = checked(transforms, key, problems)
    last = last_sized(transforms)
    for index in range(0 if last is None else last + 1, len(transforms)):
        if transforms[index].name in RESHAPING or transforms[index].arguments.get("expand"):
            message = "images of different sizes cannot be batched; add e.g. a CenterCrop after it"
            problems.add((*key, index), message)
            return calls
    if same_shape:
        return calls
    if last is None:
        problems.add(key, "images of different sizes cannot be batched; end e.g. with a CenterCrop")
    elif transforms[last].name == "Resize" and len(sides(transforms[last])) == 1:
        (side,) = sides(transforms[last])
        problems.add(
            (*key, last, "size"),
            "one number sets the short side, and images of different shapes cannot be batched; "
            f"write [{side}, {side}], or add a CenterCrop",
        )
    return calls


def _checked(spec: Transform, key: Key, problems: Problems) -> Call:
    transform = catalog.transform(spec.name)
    if transform is None:
        problems.add((*key, "name"), _unknown(spec.name))
        problems.left_out([(*key, "name")])
        return Call("")
    parameters = {parameter.name: parameter for parameter in transform.parameters}
    needed = [it.name for it in transform.parameters if it.required]
    if missing := [name for name in needed if name not in spec.arguments]:
        problems.add(key, f"{spec.name} needs {' and '.join(missing)}")
        problems.left_out((*key, name) for name in missing)
    options = {}
    for name, value in spec.arguments.items():
        if name not in parameters:
            hint = nearest(name, parameters) or f"; it takes {', '.join(parameters) or 'nothing'}"
            problems.add((*key, name), f"{spec.name} takes no {name}{hint}")
        elif name == "size" and not sides(spec):
            message = f"must be a whole number above 0, or a list of two, not {show(value)}"
            problems.add((*key, name), message)
            problems.left_out([(*key, name)])
        else:
            options[name] = _argument(value, parameters[name], (*key, name), problems)
    return Call(f"v2.{spec.name}", (), options)


def _unknown(name: str) -> str:
    if name in CONVERSIONS:
        return f"leave {name} out; data.mean and data.std say how the images become floats"
    names = catalog.transforms()
    return f'no transform "{name}"{nearest(name, names) or "; there are " + ", ".join(names)}'


def _argument(value: Any, parameter: catalog.Parameter, key: Key, problems: Problems) -> Any:
    """Return an argument as torchvision takes it."""
    kinds, names = parameter.kinds, parameter.choices
    if isinstance(value, str) and value in names:
        if "interpolation" in kinds:
            return mode(value)
        if "policy" in kinds:
            return Name(f"v2.AutoAugmentPolicy.{value.upper()}")
    elif isinstance(value, str) or not _fits(value, kinds):
        expected = [choices(names)] if names else []
        said = [kind for kind in kinds if kind != "int" or "float" not in kinds]
        expected += [KINDS[kind] for kind in said if kind in KINDS]
        problems.add(key, f"must be {' or '.join(expected)}, not {show(value)}")
    return value


def _fits(value: Any, kinds: Sequence[str]) -> bool:
    match value:
        case bool():
            return "bool" in kinds
        case int():
            return "int" in kinds or "float" in kinds
        case float():
            return "float" in kinds and math.isfinite(value)
        case list():
            numbers = [kind for kind in kinds if kind in ("int", "float")] or ["float"]
            return "list" in kinds and all(_fits(element, numbers) for element in value)
    return False
