"""Data in one folder a class: how many there are, where they are here to be counted."""

import os
from pathlib import Path

from specc.plan.labels import left
from specc.plan.places import IMAGES, VIDEOS
from specc.plan.remember import remembered
from specc.problems import Problems
from specc.spec.clips import VideoFolder
from specc.spec.data import ImageFolder
from specc.spec.tasks import Classifier


def split_folders(data: ImageFolder | VideoFolder) -> tuple[str, str]:
    """The folders in `root` of training and of validation samples; "" if there is none."""
    if data.val_fraction:
        return data.train or ".", ""
    return data.train or "train", data.val or "val"


def count_folders(
    spec: Classifier, data: ImageFolder | VideoFolder, problems: Problems
) -> tuple[int, int]:
    """The number of classes that spec and folders agree on, and of training samples, if known."""
    noun, suffixes = ("image", IMAGES) if isinstance(data, ImageFolder) else ("video", VIDEOS)
    said, key = spec.model.num_classes, ("model", "num_classes")
    root = ("data", "root")
    train_name, val_name = split_folders(data)
    train, val = Path(data.root, train_name), Path(data.root, val_name)
    if not os.path.isdir(train):
        if said is None:
            message = f"needed, as there is no folder {train} here to count the classes in"
            problems.add(key, message, root, ("data", "train"), ("data", "format"))
        return said or 0, 0
    images = _count(train, suffixes)
    if val_name and not os.path.isdir(val):
        message = f"there is no folder {val} beside {train}; write val_fraction = 0.2, say"
        problems.add(("data", "val"), message)
    elif val_name:
        val_images = _count(val, suffixes)
        if names := ", ".join(f'"{name}"' for name in val_images if name not in images):
            message = "training needs all classes that validation has"
            problems.add(root, f"only {val} has {names}; {message}")
        if not any(val_images.values()):
            problems.add(
                root, f"{val} has no folder of {noun}s; add some, or write val_fraction = 0.2"
            )
    for name in (name for name, count in images.items() if not count):
        message = f"{train / name} has no {noun} in it; add some, or remove it"
        problems.add(root, message)
    if len(images) < 2:
        problems.add(root, f"{train} needs two folders or more, one for each class")
    elif said not in (None, len(images)):
        problems.add(key, f"{train} has {len(images)} classes, not {said}; leave it out")
    return len(images), left(images.values(), data.val_fraction)


@remembered
def _count(folder: Path, suffixes: tuple[str, ...]) -> dict[str, int]:
    """The classes that torchvision finds in a folder, and the number of samples of each."""
    return {
        name.name: sum(path.suffix.lower() in suffixes for path in name.rglob("*"))
        for name in sorted(folder.glob("*/"))
    }
