"""Which images are read, how they are prepared, and how many classes they have."""

import os
from pathlib import Path

from specc.catalog import models as catalog
from specc.plan.code import Name
from specc.plan.model import check_sizes
from specc.plan.plan import DataPlan
from specc.plan.transforms import augmented, last_sized, listed, resize_and_crop, sides
from specc.problems import Problems
from specc.source import Key
from specc.spec.classification import Classification
from specc.spec.data import Cifar10, ImageFolder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CIFAR10_CLASSES, CIFAR10_IMAGES, CIFAR10_SIZE = 10, 50_000, 32
# What torchvision.datasets.ImageFolder takes for an image.
IMAGES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def plan_data(
    spec: Classification,
    model: catalog.Model | None,
    weights: catalog.Weights | None,
    problems: Problems,
) -> DataPlan:
    data = spec.data
    if data.augment and data.train_transforms is not None:
        problems.add(("data", "augment"), "train_transforms say it all; leave one of the two out")
    size = _image_size(spec, model, weights, problems)
    same_shape = isinstance(data, Cifar10)
    train = augmented(data.augment or "random-resized-crop", size, weights)
    if data.train_transforms is not None:
        key = ("data", "train_transforms")
        train = listed(data.train_transforms, key, same_shape=same_shape, problems=problems)
    evaluate = resize_and_crop(size, weights)
    if data.eval_transforms is not None:
        key = ("data", "eval_transforms")
        evaluate = listed(data.eval_transforms, key, same_shape=same_shape, problems=problems)
    return DataPlan(
        root=data.root,
        train_dir=data.train if isinstance(data, ImageFolder) else "",
        val_dir=data.val if isinstance(data, ImageFolder) else "",
        num_classes=_num_classes(spec, problems),
        image_size=size,
        mean=data.mean or (weights.mean if weights else IMAGENET_MEAN),
        std=data.std or (weights.std if weights else IMAGENET_STD),
        train_transforms=train,
        eval_transforms=evaluate,
        eval_batch_size=spec.evaluate.batch_size,
        workers=spec.train.workers,
        source=Name("CIFAR10" if isinstance(data, Cifar10) else "ImageFolder"),
        source_template=f"classification/sources/{data.format}.py",
    )


def _image_size(
    spec: Classification,
    model: catalog.Model | None,
    weights: catalog.Weights | None,
    problems: Problems,
) -> int:
    """Height and width of the model's input in evaluation; checked for training as well."""
    data, key = spec.data, ("data", "image_size")
    size = weights.crop_size if weights else 224
    if model and (not model.size_multiple or not weights):
        size = model.image_size
    size = data.image_size or size
    found: dict[Key, list[int]] = {}  # what the model gets, and the key that says so
    for name, transforms in (("train", data.train_transforms), ("eval", data.eval_transforms)):
        if transforms is None:
            found[key] = [size]
        elif (last := last_sized(transforms)) is not None:
            found["data", f"{name}_transforms", last, "size"] = sides(transforms[last])
        elif isinstance(data, Cifar10):
            found["data", f"{name}_transforms"] = [CIFAR10_SIZE]
    if model:
        check_sizes(model, found, problems)
    if data.eval_transforms is None or not found:
        return size
    where, shape = found.popitem()
    if len(set(shape)) > 1:
        problems.add(where, f"must be square, as [{shape[0]}, {shape[0]}]")
    if data.image_size not in (None, shape[0]):
        message = f"eval_transforms make images of {shape[0]}; write that, or leave it out"
        problems.add(key, message)
    return shape[0]


def _num_classes(spec: Classification, problems: Problems) -> int:
    """The number of classes that the spec and the data, where they are here, agree on."""
    said, key = spec.model.num_classes, ("model", "num_classes")
    data = spec.data
    if isinstance(data, Cifar10):
        if said not in (None, CIFAR10_CLASSES):
            message = f"CIFAR-10 has {CIFAR10_CLASSES} classes, not {said}; leave it out"
            problems.add(key, message)
        _check_enough(spec, "CIFAR-10", CIFAR10_IMAGES, problems)
        return CIFAR10_CLASSES
    root = ("data", "root")
    train, val = Path(data.root, data.train), Path(data.root, data.val)
    if not os.path.isdir(train):
        if said is None:
            message = f"needed, as there is no folder {train} here to count the classes in"
            problems.add(key, message, root, ("data", "train"), ("data", "format"))
        return said or 0
    images, val_images = _count(train), _count(val)
    if not os.path.isdir(val):
        problems.add(("data", "val"), f"there is no folder {val} beside {train}")
    else:
        for folder, more, less in ((train, images, val_images), (val, val_images, images)):
            if names := ", ".join(f'"{name}"' for name in more if name not in less):
                message = "training and validation need the same classes"
                problems.add(root, f"only {folder} has {names}; {message}")
            for name in (name for name, count in more.items() if not count):
                message = f"{folder / name} has no image in it; add some, or remove it"
                problems.add(root, message)
    if len(images) < 2:
        problems.add(root, f"{train} needs two folders or more, one for each class")
    elif said not in (None, len(images)):
        problems.add(key, f"{train} has {len(images)} classes, not {said}; leave it out")
    _check_enough(spec, str(train), sum(images.values()), problems)
    return len(images)


def _count(folder: Path) -> dict[str, int]:
    """The classes that torchvision finds in a folder, and the number of images of each."""
    return {
        name.name: sum(path.suffix.lower() in IMAGES for path in name.rglob("*"))
        for name in sorted(folder.glob("*/"))
    }


def _check_enough(spec: Classification, data: str, images: int, problems: Problems) -> None:
    if 0 < images < spec.train.batch_size:
        size = spec.train.batch_size
        message = f"needs {size} images, and {data} has {images}; write {images} or less"
        problems.add(("train", "batch_size"), message, ("data", "format"))
