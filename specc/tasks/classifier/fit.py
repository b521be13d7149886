"""The ways to bring samples to the size of the model's input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from specc.catalog.models import Weights
from specc.catalog.videos import VideoWeights
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Prepared
from specc.tasks.common.code import Call, Name, Setting
from specc.tasks.common.transforms import interpolation

Size = int | tuple[int, int]  # of a square, or height and width

CROP = Call("v2.CenterCrop", (), {"size": Name("IMAGE_SIZE")})
MARGIN = "of a resized image's sides to those of what is cut out of it"


@dataclass(frozen=True)
class FitPlan:
    """The way to bring samples to the size of the model's input in evaluation."""

    transforms: tuple[Call | Name, ...]  # the first resizes, and a second one crops
    template: str = ""  # of the function that does it, where torchvision has no transform for it
    resized: Call | None = None  # what that function makes of an image
    settings: tuple[Setting, ...] = ()  # which it reads


def sides(size: Size, name: str = "IMAGE_SIZE") -> Name:
    """Return the height and the width, as arguments of a call or elements of a list."""
    return Name(f"{name}, {name}" if isinstance(size, int) else f"*{name}")


def written_size(size: Size) -> str:
    """Return the size as a spec says it."""
    return str(size if isinstance(size, int) else [*size])


def shows_all(data: Prepared) -> bool:
    """Return whether samples are shown whole, in training as well."""
    return data.fit in ("letterbox", "stretch")


def plan_fit(data: Prepared, size: Size, weights: Weights | VideoWeights | None) -> FitPlan:
    """Decide on evaluation: by default as the weights were evaluated.

    The same border is cut off at every size.
    """
    options = interpolation(weights)
    if isinstance(weights, VideoWeights):
        options |= {"antialias": False}
    fitted = Call("F.resize", (Name("image"), Name("size")), options)
    if data.fit == "letterbox":
        return FitPlan((Name("letterbox"),), "shared/letterbox.py", fitted)
    if data.fit == "stretch":
        whole = Name(f"[{sides(size)}]" if isinstance(size, int) else "IMAGE_SIZE")
        return FitPlan((Call("v2.Resize", (), {"size": whole} | options),))
    before, crop = _margin(weights)
    if isinstance(size, int):
        resized = [_scaled(side, crop) for side in before]
        option = resized if len(resized) > 1 else resized[0]
        return FitPlan((Call("v2.Resize", (), {"size": option} | options), CROP))
    margin = Name(f"{min(before)} / {crop}") if min(before) != crop else 1.0
    return FitPlan(
        (Name("cover"), CROP), "shared/cover.py", fitted, (Setting("MARGIN", margin, MARGIN),)
    )


def _margin(weights: Weights | VideoWeights | None) -> tuple[tuple[int, ...], int]:
    """Return the sides to which weights want samples resized, and that of the crop after it."""
    if isinstance(weights, VideoWeights):
        return weights.resize_size, weights.crop_size
    return ((weights.resize_size,), weights.crop_size) if weights else ((256,), 224)


def _scaled(side: int, crop: int) -> Name:
    return Name("IMAGE_SIZE" if side == crop else f"round(IMAGE_SIZE * {side} / {crop})")


def random_resized_crop(
    size: Size, weights: Weights | VideoWeights | None
) -> tuple[tuple[Call, ...], tuple[Setting, ...]]:
    """Return the transform, and the settings that it reads.

    What it cuts out is as far from the model's input in shape as it is where that is a square.
    """
    options = {"size": Name("IMAGE_SIZE")} | interpolation(weights)
    if isinstance(size, int):
        return (Call("v2.RandomResizedCrop", (), options),), ()
    aspect = Setting("ASPECT", Name("IMAGE_SIZE[1] / IMAGE_SIZE[0]"), "width by height")
    options["ratio"] = Name("(ASPECT * 3 / 4, ASPECT * 4 / 3)")
    return (Call("v2.RandomResizedCrop", (), options),), (aspect,)


def used(fit: FitPlan, transforms: Sequence[Call | Name]) -> FitPlan:
    """Return the plan without the function that none of the `transforms` calls."""
    return fit if fit.transforms[0] in transforms else replace(fit, template="", settings=())


def check_fit(data: Prepared, augment: str | None, cropping: set[str], problems: Problems) -> None:
    """Report keys that contradict `fit`.

    Args:
        augment: the preset that is written.
        cropping: those that cut something out of a sample.
    """
    if data.fit and data.train_transforms is not None and data.eval_transforms is not None:
        message = "train_transforms and eval_transforms say it all; leave it out"
        problems.add(("data", "fit"), message)
    elif shows_all(data) and augment in cropping and data.train_transforms is None:
        message = f'crops, but fit = "{data.fit}" shows all of a sample; leave one of the two out'
        problems.add(("data", "augment"), message, ("data", "fit"))
