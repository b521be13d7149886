"""YOLO's data, as Ultralytics, Darknet, CVAT and Label Studio write them."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from specc.init.found import (
    VAL_FRACTION,
    Found,
    children,
    kept_for_tests,
    matching,
    media,
    read_lines,
)
from specc.tasks.common.places import IMAGES
from specc.tasks.common.splits import find_splits, read_split
from specc.tasks.detection.formats.yolo import read_names

NAMES = "classes.txt"  # Label Studio's
Sets = dict[str, Any]  # what names the images of a split: a folder, a file, or a list of them


def read_yolo(folder: Path) -> Iterator[Found]:
    for names, bases, sets in (*_of_yaml(folder), *_of_darknet(folder), *_of_label_studio(folder)):
        train = _placed(bases, sets["train"])
        if not train:
            continue
        root, places, files = train
        yield _found(folder, names, root, places, files, sets)
        return


def unnamed(folder: Path) -> Iterator[str]:
    """Say what YOLO's files lack."""
    for _, bases, sets in _of_yaml(folder):
        tried = dict.fromkeys(os.path.normpath(base / str(sets["train"])) for base in bases)
        places = " or in ".join(tried)
        yield f"{sets['yaml']}: YOLO's file, but there are no images to train on in {places}"
    if not (folder / "labels").is_dir():
        return
    if not media(folder, IMAGES):
        yield f"{folder}: YOLO's labels, but no images; put these into {folder / 'images'}"
    else:
        what = 'a data.yaml with "names" and "train", or a classes.txt of a name a line'
        yield f"{folder}: looks like YOLO's folders, but nothing names the classes; add {what}"


# ---- what names the classes and the splits ----

Described = tuple[list[str], list[Path], Sets]


def _of_yaml(folder: Path) -> Iterator[Described]:
    for path in matching(folder, "*.yaml", "*.yml"):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        if not isinstance(content, dict) or not {"names", "train"} <= content.keys():
            continue
        if not isinstance(content["names"], dict | list):
            continue
        names = read_names(path)
        said = str(content.get("path") or ".")
        bases = list(dict.fromkeys([folder / said, folder, Path(said), folder.parent]))
        yield names, bases, {**content, "yaml": path}


def _of_darknet(folder: Path) -> Iterator[Described]:
    """Recognise `obj.names`, and lists or folders; CVAT's lists name folders it does not write."""
    for path in matching(folder, "*.names", "data/*.names"):
        names = [line.strip() for line in read_lines(path)]
        for files in (children(path.parent), matching(path.parent, "*.txt")):
            sets = {read_split(it.stem)[0]: it.name for it in files}
            if "train" in sets:
                yield names, [path.parent], sets


def _of_label_studio(folder: Path) -> Iterator[Described]:
    if (folder / NAMES).is_file() and (folder / "labels").is_dir():
        names = [line.strip() for line in read_lines(folder / NAMES)]
        splits = find_splits(it.name for it in children(folder / "images"))
        sets = {split: f"images/{name}" for split, name in splits.items()}
        yield names, [folder], sets if "train" in sets else {"train": "images"}


# ---- what is there ----


def _placed(bases: list[Path], value: Any) -> tuple[Path, list[str], list[Path]] | None:
    """Return the folder that what names images is relative to, that, and the images."""
    values = [str(it) for it in (value if isinstance(value, list) else [value])]
    # Roboflow's "../train/images" are in the folder of its file.
    for places in ([_stripped(it) for it in values], values):
        for base in bases:
            files = [_images(base / place) for place in places]
            if all(files):
                return base, places, [file for part in files for file in part]
    return None


def _stripped(place: str) -> str:
    while place.startswith(("./", "../")):
        place = place.partition("/")[2]
    return place


def _images(place: Path) -> list[Path]:
    if place.is_dir():
        return media(place, IMAGES)
    if place.suffix != ".txt" or not place.is_file():
        return []
    files = [place.parent / line.strip() for line in read_lines(place)]
    return files if all(it.is_file() for it in files[:20]) else []


def _found(
    folder: Path, names: list[str], root: Path, places: list[str], files: list[Path], sets: Sets
) -> Found:
    data: dict[str, Any] = {
        "format": "yolo",
        "root": os.path.normpath(root),
        "classes": names,
    }
    first = int(not names[0])  # the names may be counted from 1
    if first and sets["yaml"].resolve() == (root / "data.yaml").resolve():
        data["classes"] = names[1:]
    elif first:
        data["classes"] = str(sets["yaml"])
    if places != ["images/train"]:
        data["train"] = places[0] if len(places) == 1 else places
    val = _placed([root], sets["val"]) if sets.get("val") else None
    if val:
        same = val[1] == ["images/val"]
        data |= {} if same else {"val": val[1][0] if len(val[1]) == 1 else val[1]}
    else:
        data["val_fraction"] = VAL_FRACTION
    test = _placed([root], sets["test"]) if sets.get("test") else None
    notes: tuple[str, ...] = ()
    if test and any(_label(file).is_file() for file in test[2]):
        data["test"] = test[1][0] if len(test[1]) == 1 else test[1]
    elif test:
        notes = kept_for_tests(", ".join(test[1]), len(test[2]), "images")
    counts = Counter(dict.fromkeys(names[first:], 0))
    lengths, unlabelled, odd = set(), 0, 0
    for file in files:
        label = _label(file)
        unlabelled += not label.is_file()
        for words in map(str.split, read_lines(label) if label.is_file() else []):
            if words[0].isdecimal() and first <= int(words[0]) < len(names):
                counts[names[int(words[0])]] += 1
            else:
                odd += 1
            lengths.add(len(words))
    if odd:
        last = len(names) - 1
        notes = (f"{odd} lines of labels have no class from {first} to {last}", *notes)
    if unlabelled:
        notes = (f"{unlabelled} of {len(files)} images have no file of labels: no objects", *notes)
    polygons = bool(lengths) and min(lengths) > 6 and "kpt_shape" not in sets
    task = "instance-segmentation" if polygons else "detection"
    held = len(val[2]) if val else None
    tests = len(test[2]) if test and "test" in data else None
    return Found(task, data, counts, len(files), held, files, notes, tests)


def _label(image: Path) -> Path:
    """Return the file of an image's labels, found as the generated code finds it."""
    path = Path("/labels/".join(image.absolute().as_posix().rsplit("/images/", 1)))
    label = path.with_suffix(".txt")
    return label if label.is_file() else image.with_suffix(".txt")
