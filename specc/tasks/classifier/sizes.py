"""The sizes of the images that a model gets."""

from collections.abc import Mapping

from specc.catalog import models as catalog
from specc.catalog.videos import VideoClassifier, VideoWeights
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Prepared
from specc.tasks.classifier.fit import Size, written_size
from specc.tasks.common.transforms import last_sized, sides

Row = catalog.Classifier | VideoClassifier


def built_for(model: Row | None, weights: catalog.Weights | VideoWeights | None) -> int:
    """Return the size at which a model is evaluated if nothing is said."""
    if model and (not model.size_multiple or not weights):
        return model.image_size
    return weights.crop_size if weights else 224


def agreed_size(
    data: Prepared, model: Row | None, default: int, own: int | None, problems: Problems
) -> Size:
    """Return height and width of the model's input in evaluation; check training's as well.

    Args:
        default: what they are if nothing is said.
        own: those of the data's images, where all have the same.
    """
    key = ("data", "image_size")
    written = None if data.image_size is None else listed_sides(data.image_size)
    size = written or [default]
    found: dict[Key, list[int]] = {}  # what the model gets, and the key that says so
    for name, transforms in (("train", data.train_transforms), ("eval", data.eval_transforms)):
        if transforms is None:
            found[key] = size
        elif (last := last_sized(transforms)) is not None:
            found["data", f"{name}_transforms", last, "size"] = sides(transforms[last])
        elif own is not None:
            found["data", f"{name}_transforms"] = [own]
    if model:
        check_sizes(model, found, problems)
    if data.eval_transforms is None or not found:
        return _size(size)
    _, shape = found.popitem()
    if written and _size(written) != _size(shape):
        made = written_size(_size(shape))
        message = f"eval_transforms make images of {made}; write that, or leave it out"
        problems.add(key, message)
    return _size(shape)


def listed_sides(size: Size) -> list[int]:
    return [size] if isinstance(size, int) else [*size]


def _size(sides: list[int]) -> Size:
    """One number for a square."""
    return sides[0] if len({*sides}) == 1 else (sides[0], sides[1])


def check_sizes(model: Row, found: Mapping[Key, list[int]], problems: Problems) -> None:
    """Report the sizes of images that the model does not take.

    Args:
        found: height and width of the images, or one number for both, by the key that says so.
    """
    step, own = model.size_multiple, model.image_size
    first = next(iter(found.values()), [])
    for key, shape in found.items():
        if not step and set(shape) != {own}:
            problems.add(key, f"{model.name} takes images of {own} only")
        elif min(shape) < model.min_size:
            problems.add(key, f"{model.name} needs images of {model.min_size} or more")
        elif wrong := [side for side in shape if side != own and side % step]:
            below = wrong[0] - wrong[0] % step
            sizes = " or ".join(str(n) for n in (below, below + step) if n >= model.min_size)
            message = f"{model.name} takes images whose size is a multiple of {step}"
            message += f", not {wrong[0]}" if len(shape) > 1 else ""
            problems.add(key, f"{message}; write {sizes}")
        elif model.square and len(set(shape)) > 1:
            message = f"{model.name} takes square images only"
            problems.add(key, f"{message}, e.g. [{shape[0]}, {shape[0]}]")
        elif model.size_argument and _size(shape) != _size(first):
            message = f"{model.name} takes images of one size"
            made = written_size(_size(first))
            problems.add(key, f"{message}, and in training they have {made}", *found)
