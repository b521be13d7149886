"""The places of the data, and their number."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from specc.language.spec import Spec
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import OpenMMLabData
from specc.tasks.classifier.labels import given_classes
from specc.tasks.common.code import Name, python
from specc.tasks.common.lists import Labelled, noun, split_files

NAME_CLASSES = Name("name_classes(rows)")
# The folder that `--data` replaces; expressions for what is where in it, as arguments of the
# functions that list samples to train, validate and test on; and for the names of the classes.
Places = tuple[str, tuple[Name, ...], tuple[Name, ...], tuple[Name, ...], Name | None]

# Images of a generated project: torchvision's IMG_EXTENSIONS, and three of Pillow's.
TORCHVISION = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
IMAGES = (*TORCHVISION, ".avif", ".gif", ".jfif")
VIDEOS = (".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")


def visible_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files in a folder, and in those in it, whose names end so.

    As in the generated code: a name that begins with a dot hides a file or a folder, which is not
    data then, and symbolic links to folders are followed.
    """
    names = sorted(glob.glob("**", root_dir=folder, recursive=True))
    return [folder / name for name in names if os.path.splitext(name)[1].lower() in suffixes]


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are not hidden."""
    return sorted(
        path for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")
    )


def common(paths: Sequence[str]) -> str:
    """Return the folder that all paths are in; "" for the current one."""
    if len({PurePath(path).anchor for path in paths}) > 1:  # "", "/", and POSIX's own "//"
        return ""
    return os.path.commonpath([PurePath(path) for path in paths])


def under(root: str, path: str) -> Name:
    """Return the expression of a path in `root`."""
    inside = str(PurePath(path).relative_to(root)) if root else path
    return Name("root" if inside == "." else f"root / {python(inside)}")


def list_places(data: Labelled) -> Places:
    """Return the places of list files and their samples, in the folder that all have in common."""
    paths = split_files(data.train)
    val_paths = split_files(data.val) if data.val else ()
    test_paths = split_files(data.test) if data.test else ()
    file = data.classes if isinstance(data.classes, str) else None
    root = common([*paths, *val_paths, *test_paths, *([file] if file else [])])
    train_args, val_args, test_args = (
        tuple(under(root, path) for path in split) for split in (paths, val_paths, test_paths)
    )
    classes = NAME_CLASSES
    if file:
        classes = Name("read_classes(root)")
    elif given_classes(data):
        classes = Name("CLASSES")
    elif isinstance(data, OpenMMLabData):
        classes = Name(f"read_classes({train_args[1]})")
    return root or ".", train_args, val_args, test_args, classes


def classes_file(data: Labelled, root: str) -> Name | None:
    """Return the expression of the text file that names the classes, if one does."""
    if not isinstance(data.classes, str):
        return None
    return under("" if root == "." else root, data.classes)


def asked_classes(classes: Name | None) -> Name:
    """Return what evaluate.py takes the classes from: never from the training samples.

    Args:
        classes: the expression for their names in training.
    """
    known = {"CLASSES": "CLASSES", "read_classes(root)": "read_classes(args.data)"}
    return Name(known.get(str(classes), 'state["classes"]'))


def check_enough(spec: Spec, samples: int, problems: Problems) -> None:
    """Report an epoch with fewer images or videos than a batch.

    Args:
        samples: of an epoch; 0 if their number is not known.
    """
    size, epoch = spec.train.batch_size, samples
    if 0 < epoch < size:
        things = f"{noun(spec.data)}s"
        message = f"{size} is more than the {things} of an epoch ({epoch}); write {epoch} or less"
        others = [("data", "format"), ("data", "val_fraction"), ("data", "repeat")]
        problems.add(("train", "batch_size"), message, *others)
