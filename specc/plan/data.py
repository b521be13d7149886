"""Which images are read, how they are prepared, and how many classes they have."""

from pathlib import Path

from specc.catalog import models as catalog
from specc.plan.code import Name
from specc.plan.plan import DataPlan
from specc.plan.transforms import augmented, listed, resize_and_crop
from specc.problems import Problems
from specc.spec.classification import Classification
from specc.spec.data import Cifar10, ImageFolder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
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
    if min(data.std or (1,)) <= 0:
        problems.add(("data", "std"), "must be above 0")
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
    """Height and width of the model's input in evaluation."""
    size = weights.crop_size if weights else model.image_size if model else 224
    for transform in spec.data.eval_transforms or ():
        sides = transform.arguments.get("size")
        side = sides[0] if isinstance(sides, list) and sides else sides
        size = side if isinstance(side, int) else size
    if spec.data.image_size:
        size = spec.data.image_size
    if model and model.fixed_size and size != model.image_size:
        problems.add(("data", "image_size"), f"{model.name} takes {model.image_size} only")
    elif model and size < model.min_size:
        problems.add(("data", "image_size"), f"{model.name} needs {model.min_size} or more")
    return size


def _num_classes(spec: Classification, problems: Problems) -> int:
    """The number of classes that the spec and the data, where they are here, agree on."""
    said, key = spec.model.num_classes, ("model", "num_classes")
    data = spec.data
    if isinstance(data, Cifar10):
        if said not in (None, 10):
            problems.add(key, f"CIFAR-10 has 10 classes, not {said}; leave it out")
        return 10
    train, val = Path(data.root, data.train), Path(data.root, data.val)
    if not train.is_dir():
        if said is None:
            message = f"needed, as there is no folder {train} here to count the classes in"
            problems.add(key, message)
        return said or 2
    classes, evaluated = _folders(train), _folders(val)
    if not classes:
        problems.add(("data", "root"), f"{train} has no folders, one for each class, in it")
    elif odd := set(classes) ^ set(evaluated):
        message = f"not in both {train} and {val}: {', '.join(sorted(odd)[:10])}"
        problems.add(("data", "root"), message)
    elif said not in (None, len(classes)):
        problems.add(key, f"{train} has {len(classes)} classes, not {said}; leave it out")
    for folder in (train / name for name in classes):
        if not any(path.suffix.lower() in IMAGES for path in folder.rglob("*")):
            problems.add(("data", "root"), f"{folder} has no image in it")
    images = sum(p.suffix.lower() in IMAGES for c in classes for p in (train / c).rglob("*"))
    if 0 < images < spec.train.batch_size:
        message = f"{train} has {images} images, too few for a batch of {spec.train.batch_size}"
        problems.add(("train", "batch_size"), message)
    return said or max(len(classes), 2)


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("*/"))
