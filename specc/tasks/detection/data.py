"""The plan of preparing a detector's images."""

from typing import Any

from specc.catalog.detectors import Detector
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name, Setting
from specc.tasks.common.transforms import check_preset, checked
from specc.tasks.common.values import value_range
from specc.tasks.detection.formats.language import Resize
from specc.tasks.detection.language import Detection
from specc.tasks.detection.plans import BoxDataPlan

JITTERED = (1024, 1024)  # height and width, as in the paper (arXiv 2012.07177)
BEYOND_A_PRESET = ("augment", "photometric_distort")  # or part of one
# Listed transforms that bring images to the size that a spec wants them to have.
RESIZING = {
    f"v2.{name}"
    for name in ("RandomResize", "RandomResizedCrop", "RandomShortestSize", "Resize", "ScaleJitter")
}


def plan_box_data(spec: Detection, row: Detector, problems: Problems) -> BoxDataPlan:
    data = spec.data
    masks = spec.task == "instance-segmentation"
    _check_keys(spec, row, problems)
    preset = data.augment or row.augment
    resizes = preset == "large-scale-jitter" or (
        data.resize is not None and isinstance(data.resize.short, list)
    )
    if data.train_transforms is not None:
        key = ("data", "train_transforms")
        transforms = checked(data.train_transforms, key, problems)
        if masks:
            transforms = tuple(_filling_images(call) for call in transforms)
        resizes = any(call.function in RESIZING for call in transforms)
    else:
        color = [round(255 * value) for value in data.mean or row.image_mean]
        fill = _for_images(color) if masks else color
        transforms = _preset(preset, data.resize, fill, distort=data.photometric_distort)
    settings = []
    if data.copy_paste:
        comment = "share of the images that get objects of another one"
        settings.append(Setting("COPY_PASTE", data.copy_paste, comment))
    if data.repeat > 1:
        settings.append(Setting("REPEAT", data.repeat, "passes over the images in an epoch"))
    settings += value_range(data.value_range, problems)
    return BoxDataPlan(
        settings=tuple(settings),
        workers=spec.train.workers,
        train_transforms=transforms,
        resizes=resizes and not row.fixed_size,
        masks=masks,
        copy_paste=data.copy_paste is not None,
        value_range=data.value_range,
    )


def _preset(preset: str, resize: Resize | None, fill: Any, *, distort: bool) -> tuple[Call, ...]:
    calls: list[Call] = []
    if distort or preset == "ssd":
        calls.append(Call("v2.RandomPhotometricDistort"))
    if preset == "ssd":
        calls.append(Call("v2.RandomZoomOut", (), {"fill": fill}))
    if preset in ("ssd", "ssdlite"):
        calls.append(Call("v2.RandomIoUCrop"))
    if preset == "large-scale-jitter":
        calls.append(Call("v2.ScaleJitter", (), {"target_size": JITTERED}))
        options = {"size": JITTERED, "pad_if_needed": True, "fill": fill}
        calls.append(Call("v2.RandomCrop", (), options))
    elif resize and isinstance(resize.short, list):
        calls.append(_resize(resize.short, resize.long))
    if preset != "none":
        calls.append(Call("v2.RandomHorizontalFlip"))
    return tuple(calls)


def _resize(short: list[int], long: int) -> Call:
    """Resize to one of some short sides; if they are two, to any between them."""
    sizes: Any = short
    if len(short) == 2:
        sizes = Call("list", (Call("range", (short[0], short[1] + 1)),))
    return Call("v2.RandomShortestSize", (), {"min_size": sizes, "max_size": long})


def _for_images(color: list[Any]) -> dict[Name | str, Any]:
    """Return fill values for images and masks: no colour can fill the latter."""
    return {Name("tv_tensors.Image"): color, "others": 0}


def _filling_images(call: Call) -> Call:
    """Return a transform of a spec, whose colour is for images alone."""
    if not isinstance(fill := call.options.get("fill"), list):
        return call
    return Call(call.function, call.arguments, call.options | {"fill": _for_images(fill)})


def _check_keys(spec: Detection, row: Detector, problems: Problems) -> None:
    data = spec.data
    check_preset(data, [name for name in BEYOND_A_PRESET if getattr(data, name)], problems)
    if data.copy_paste and spec.task != "instance-segmentation":
        message = 'needs masks, which only task = "instance-segmentation" has; leave it out'
        problems.add(("data", "copy_paste"), message, ("task",))
    if data.resize is None:
        return
    key = ("data", "resize")
    if row.fixed_size:
        message = f"{row.name} takes images of {row.fixed_size} x {row.fixed_size} only"
        problems.add(key, f"{message}; leave it out", ("model", "name"))
    short = data.resize.short if isinstance(data.resize.short, list) else [data.resize.short]
    if max(short) > data.resize.long:
        message = f"must be at most long ({data.resize.long}), not {max(short)}"
        problems.add((*key, "short"), message, (*key, "long"))
    if len(short) == 2 and short[0] >= short[1]:
        message = f"must rise, e.g. {sorted({*short})}, not {short}"
        if short[0] == short[1]:
            message = f"is one size; write {short[0]}"
        problems.add((*key, "short"), message)
    if len(short) > 1 and data.train_transforms is not None:
        message = "several sizes have no effect beside train_transforms; write one number"
        problems.add((*key, "short"), message, ("data", "train_transforms"))
    elif len(short) > 1 and data.augment == "large-scale-jitter":
        message = "several sizes have no effect: large-scale jitter draws its own; write one number"
        problems.add((*key, "short"), message, ("data", "augment"))
