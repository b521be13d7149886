"""Where data are, and whether there are enough of them."""

import os
from collections.abc import Sequence
from pathlib import PurePath

from specc.plan.code import Name, python
from specc.problems import Problems
from specc.spec.classification import Classification
from specc.spec.detection import Detection

# What torchvision.datasets.ImageFolder takes for an image.
IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def common(paths: Sequence[str]) -> str:
    """The folder that all paths are in; "" for the current one."""
    if len({os.path.isabs(path) for path in paths}) > 1:
        return ""
    return os.path.commonpath([PurePath(path) for path in paths])


def under(root: str, path: str) -> Name:
    """The expression of a path in `root`."""
    inside = str(PurePath(path).relative_to(root)) if root else path
    return Name("root" if inside == "." else f"root / {python(inside)}")


def check_enough(spec: Classification | Detection, images: int, problems: Problems) -> None:
    """Whether the training images, if their number is known, make a batch."""
    size, epoch = spec.train.batch_size, images * spec.data.repeat
    if 0 < epoch < size:
        message = f"needs {size} images, and an epoch has {epoch}; write {epoch} or less"
        others = [("data", "format"), ("data", "val_fraction"), ("data", "repeat")]
        problems.add(("train", "batch_size"), message, *others)
