"""Data in one folder a class: how many there are, where they are here to be counted."""

import os
from pathlib import Path

from specc.source.diagnostics import show
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import ImageFolder
from specc.tasks.classifier.labels import ELSEWHERE, left
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.places import IMAGES, VIDEOS, visible_files, visible_folders
from specc.tasks.common.remember import remembered
from specc.tasks.common.splits import find_splits
from specc.tasks.video.formats.language import VideoFolder


def split_folders(data: ImageFolder | VideoFolder) -> tuple[str, str]:
    """Return the folders in `root` of training and of validation samples; "" if there is none."""
    if data.val_fraction:
        return data.train or ".", ""
    return data.train or "train", data.val or "val"


def count_folders(
    spec: Classifier, data: ImageFolder | VideoFolder, problems: Problems
) -> tuple[int, int]:
    """Count the classes that spec and folders agree on, and the training samples, if known."""
    noun, suffixes = "video", VIDEOS
    if isinstance(data, ImageFolder):
        arrays = (".npy",) if data.channels not in (1, 3) else ()
        noun, suffixes = "image", (*IMAGES, *arrays)
    said, key = spec.model.num_classes, ("model", "num_classes")
    root = ("data", "root")
    train_name, val_name = split_folders(data)
    train = Path(data.root, train_name)
    if data.test and train_name == ".":
        message = (
            f'all folders of {train} are trained on; write train as well, e.g. train = "train"'
        )
        problems.add(("data", "test"), message, ("data", "train"))
        return said or 0, 0
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
    for part, name in (("val", val_name), ("test", data.test)):
        folder = Path(data.root, name or "")
        instead = "write e.g. val_fraction = 0.2" if part == "val" else "leave it out"
        if not name:
            continue
        if not os.path.isdir(folder):
            hint = _hint(Path(data.root), part) or f"; {instead}"
            problems.add(("data", part), f"there is no folder {folder} beside {train}{hint}")
            continue
        held = _count(folder, suffixes)
        if names := ", ".join(f'"{it}"' for it in held if it not in images):
            use = "validation" if part == "val" else "the test"
            message = f"training needs all classes that {use} has"
            problems.add(root, f"only {folder} has {names}; {message}")
        if not any(held.values()):
            message = (
                f"{folder} has no folder of {noun}s; add some, or {instead.replace('e.g. ', '')}"
            )
            problems.add(root if part == "val" else ("data", part), message)
    for name in (name for name, count in images.items() if not count):
        message = f"{train / name} has no {noun} in it; add some, or remove it"
        problems.add(root, message)
    if len(images) < 2:
        problems.add(root, f"{train} needs two folders or more, one for each class")
    elif said not in (None, len(images)):
        problems.add(key, f"{train} has {len(images)} classes, not {said}; leave it out")
    return len(images), left(images.values(), data)


def _hint(root: Path, split: str) -> str:
    """Say what to write where a split has another name than the usual one."""
    names = find_splits(folder.name for folder in visible_folders(root))
    return f"; write {split} = {show(names[split])}" if split in names else ""


@remembered
def _count(folder: Path, suffixes: tuple[str, ...]) -> dict[str, int]:
    """Return the classes that torchvision finds in a folder, and the number of samples of each."""
    return {it.name: len(visible_files(it, suffixes)) for it in visible_folders(folder)}
