"""The transforms of training and evaluation images."""

from collections.abc import Sequence
from typing import Any

from specc.catalog import transforms as catalog
from specc.catalog.models import Weights
from specc.diagnostics import choices, nearest, show
from specc.plan.code import Call, Name
from specc.problems import Problems
from specc.source import Key
from specc.spec.data import Transform

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
}


def resize_and_crop(size: int, weights: Weights | None) -> tuple[Call, ...]:
    """Evaluation as the weights were evaluated: the same border is cut off at every size."""
    ratio = weights.resize_size / weights.crop_size if weights else 256 / 224
    resize = Call("v2.Resize", (), {"size": round(size * ratio)} | _interpolation(weights))
    return resize, Call("v2.CenterCrop", (), {"size": size})


def augmented(preset: str, size: int, weights: Weights | None) -> tuple[Call, ...]:
    """The training transforms of a preset."""
    flip = Call("v2.RandomHorizontalFlip")
    match preset:
        case "random-resized-crop":
            options = {"size": size} | _interpolation(weights)
            return Call("v2.RandomResizedCrop", (), options), flip
        case "flip":
            return *resize_and_crop(size, weights), flip
    return resize_and_crop(size, weights)


def _interpolation(weights: Weights | None) -> dict[str, Any]:
    if weights is None or weights.interpolation == "bilinear":  # torchvision's own default
        return {}
    return {"interpolation": _mode(weights.interpolation)}


def _mode(name: str) -> Name:
    return Name(f"v2.InterpolationMode.{name.upper().replace('-', '_')}")


def listed(
    transforms: Sequence[Transform], key: Key, *, same_shape: bool, problems: Problems
) -> tuple[Call, ...]:
    """The transforms that a spec lists, checked against torchvision's signatures.

    `same_shape` says that all images of the data have one shape, so that they need not be
    brought to one.
    """
    calls = tuple(_checked(t, (*key, i), problems) for i, t in enumerate(transforms))
    sized = [i for i, transform in enumerate(transforms) if "size" in transform.arguments]
    if not sized and not same_shape:
        problems.add(key, "images of different sizes make no batch; end with a CenterCrop, say")
    elif sized and transforms[sized[-1]].name == "Resize" and not same_shape:
        size = transforms[sized[-1]].arguments["size"]
        if isinstance(size, int) or len(size) == 1:
            side = size if isinstance(size, int) else size[0]
            problems.add(
                (*key, sized[-1], "size"),
                "one number sets the short side, and images of different shapes make no batch; "
                f"write [{side}, {side}], or add a CenterCrop",
            )
    return calls


def _checked(spec: Transform, key: Key, problems: Problems) -> Call:
    transform = catalog.transform(spec.name)
    if transform is None:
        names = catalog.transforms()
        problems.add(
            (*key, "name"),
            f'torchvision has no transform "{spec.name}"{nearest(spec.name, names)}',
        )
        return Call("")
    parameters = {parameter.name: parameter for parameter in transform.parameters}
    for parameter in transform.parameters:
        if parameter.required and parameter.name not in spec.arguments:
            problems.add(key, f"{spec.name} needs {parameter.name}")
    options = {}
    for name, value in spec.arguments.items():
        if name not in parameters:
            hint = nearest(name, parameters) or f"; it takes {', '.join(parameters) or 'nothing'}"
            problems.add((*key, name), f"{spec.name} takes no {name}{hint}")
        else:
            options[name] = _argument(value, parameters[name], (*key, name), problems)
    return Call(f"v2.{spec.name}", (), options)


def _argument(value: Any, parameter: catalog.Parameter, key: Key, problems: Problems) -> Any:
    """An argument as torchvision takes it."""
    kinds = parameter.kinds
    if isinstance(value, str) and parameter.choices and value not in parameter.choices:
        problems.add(key, f'no "{value}"; write {choices(parameter.choices)}')
    elif isinstance(value, str) and "interpolation" in kinds:
        return _mode(value)
    elif isinstance(value, str) and "policy" in kinds:
        return Name(f"v2.AutoAugmentPolicy.{value.upper()}")
    elif not _fits(value, kinds):
        expected = [choices(parameter.choices) if parameter.choices else ""]
        expected += [KINDS[kind] for kind in kinds if kind in KINDS]
        problems.add(key, f"must be {' or '.join(filter(None, expected))}, not {show(value)}")
    return value


def _fits(value: Any, kinds: Sequence[str]) -> bool:
    match value:
        case bool():
            return "bool" in kinds
        case int():
            return "int" in kinds or "float" in kinds
        case float():
            return "float" in kinds
        case str():
            return "str" in kinds
        case list():
            return "list" in kinds
    return False
