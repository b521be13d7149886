"""Data in one folder a class: how many there are, where they are here to be counted."""

import os
from pathlib import Path

from specc.source.diagnostics import show
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import ImageFolder
from specc.tasks.classifier.labels import ELSEWHERE, left
from specc.tasks.common.places import IMAGES, VIDEOS, visible_files, visible_folders
from specc.tasks.common.remember import remembered
from specc.tasks.common.splits import find_splits
from specc.tasks.languages import Classifier
from specc.tasks.video.formats.language import VideoFolder


def split_folders(data: ImageFolder | VideoFolder) -> tuple[str, str]:
    """The folders in `root` of training and of validation samples; "" if there is none."""
    if data.val_fraction:
        return data.train or ".", ""
    return data.train or "train", data.val or "val"


def count_folders(
    spec: Classifier, data: ImageFolder | VideoFolder, problems: Problems
) -> tuple[int, int]:
    """The number of classes that spec and folders agree on, and of training samples, if known."""
    noun, suffixes = "video", VIDEOS
    if isinstance(data, ImageFolder):
        arrays = (".npy",) if data.channels not in (1, 3) else ()
        noun, suffixes = "image", (*IMAGES, *arrays)
    said, key = spec.model.num_classes, ("model", "num_classes")
    root = ("data", "root")
    train_name, val_name = split_folders(data)
    train, val = Path(data.root, train_name), Path(data.root, val_name)
    if not os.path.isdir(train):
        if said is None:
            message = f"there is no folder {train} here to count the classes in"
            hint = _hint(Path(data.root), "train") or f"; {ELSEWHERE}"
            problems.add(root, f"{message}{hint}", key, ("data", "train"), ("data", "format"))
        return said or 0, 0
    images = _count(train, suffixes)
    splits = find_splits(name for name, count in images.items() if count)
    if data.val_fraction and data.train is None and len(splits) > 1:
        folders = " and ".join(map(show, splits.values()))
        message = f"{train} has the folders {folders}, which are splits, not classes"
        if "train" in splits and "val" in splits:
            train_name, val_name = (show(splits[split]) for split in ("train", "val"))
            advice = f"write train = {train_name} and val = {val_name} instead"
        else:
            advice = f"write train = {show(splits.get('train', '…'))} as well"
        problems.add(("data", "val_fraction"), f"{message}; {advice}", root)
        return said or 0, 0
    if val_name and not os.path.isdir(val):
        message = f"there is no folder {val} beside {train}"
        hint = _hint(Path(data.root), "val") or "; write val_fraction = 0.2, say"
        problems.add(("data", "val"), f"{message}{hint}")
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


def _hint(root: Path, split: str) -> str:
    """Say what to write where a split has another name than the usual one."""
    names = find_splits(folder.name for folder in visible_folders(root))
    return f"; write {split} = {show(names[split])}" if split in names else ""


@remembered
def _count(folder: Path, suffixes: tuple[str, ...]) -> dict[str, int]:
    """The classes that torchvision finds in a folder, and the number of samples of each."""
    return {it.name: len(visible_files(it, suffixes)) for it in visible_folders(folder)}
