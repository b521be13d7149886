"""Data of detection: COCO's and Pascal VOC's files."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from specc.init.found import (
    MALFORMED,
    VAL_FRACTION,
    Found,
    children,
    find_root,
    kept_for_tests,
    matching,
    media,
    read_lines,
    split_of,
)
from specc.init.yolo import read_yolo, unnamed
from specc.tasks.common.places import IMAGES
from specc.tasks.common.splits import find_splits

__all__ = ["near_miss", "read_coco", "read_voc", "read_yolo"]

LARGEST = 500_000_000  # bytes of a JSON file that is read
LOOKED_AT = 5  # files that may be labelme's
XML_FOLDERS = ("annotations", "xml", "xmls", "labels")  # that are not beside the images


def near_miss(folder: Path) -> str:
    """Say what is missing of data that are all but in a format; "" of others."""
    for misses in (_misnamed, unnamed, _labelme):
        try:
            if message := next(misses(folder), ""):
                return message
        except MALFORMED:
            continue
    return ""


def _misnamed(folder: Path) -> Iterator[str]:
    for path, content in _coco_files(folder).items():
        names = _names_of_images(content)
        if find_root(folder, path, names):
            continue
        files = {it.name: it for it in media(folder, IMAGES)}
        there = files.get(Path(names[0].replace("\\", "/")).name)
        hint = f", but {there} is" if there else ""
        yield (
            f"{path}: COCO's JSON, but its file_name are not paths from {folder} or a folder in it "
            f'on: "{names[0]}" is not there{hint}; correct them, or name the folder of the images '
            'in a spec of your own: train = { images = "FOLDER", json = "FILE" }'
        )


def _labelme(folder: Path) -> Iterator[str]:
    for path in matching(folder, "*.json", "*/*.json")[:LOOKED_AT]:
        if _is_labelme(path):
            yield (
                f"{path}: labelme's JSON, of one image each, which specc does not read; make "
                "COCO's of them with examples/instance_segmentation/labelme2coco.py of labelme: "
                f"python labelme2coco.py {path.parent} OUT --labels labels.txt, then specc init OUT"
            )


def _is_labelme(path: Path) -> bool:
    if path.stat().st_size > LARGEST:
        return False
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys()


# ---- COCO ----

Contents = dict[Path, dict[str, Any]]  # of JSON files


def read_coco(folder: Path) -> Iterator[Found]:
    contents = _coco_files(folder)
    splits: dict[str, list[Path]] = {}
    for path in contents:
        splits.setdefault(split_of(folder, path), []).append(path)
    if len(contents) == 1 and "train" not in splits:
        splits = {"train": list(contents)}
    elif _series(folder, splits.get("", []), contents)[1:]:
        splits.setdefault("train", splits[""])
    if "train" not in splits:
        return
    used = {split: _series(folder, paths, contents) for split, paths in splits.items()}
    train = _placed(folder, used["train"], contents)
    if not train:
        return
    data: dict[str, Any] = {"format": "coco", "train": _one_or_more(train)}
    val = _placed(folder, used.get("val", []), contents)
    data |= {"val": _one_or_more(val)} if val else {"val_fraction": VAL_FRACTION}
    counts: Counter[str] = Counter()
    objects = []
    for path in train:
        classes = {row["id"]: str(row["name"]).strip() for row in contents[path]["categories"]}
        here = [it for it in contents[path]["annotations"] if it.get("category_id") in classes]
        counts.update(dict.fromkeys(classes.values(), 0))
        counts.update(classes[it["category_id"]] for it in here)
        objects += here
    masks = bool(objects) and all(it.get("segmentation") for it in objects)
    notes = tuple(
        f"{path} is left out, as nothing says that it belongs to {used[split][0]}"
        for split in ("train", "val", "test")
        for path in splits.get(split, ())
        if path not in used[split]
    )
    test = _placed(folder, used.get("test", []), contents)
    tests = sum(len(contents[path]["images"]) for path in test)
    if test and all(contents[path]["annotations"] for path in test):
        data["test"] = _one_or_more(test)
    else:
        for path in used.get("test", ()):
            notes += kept_for_tests(str(path), len(contents[path]["images"]), "images")
    files = _files(train, contents)
    yield Found(
        "instance-segmentation" if masks else "detection",
        data,
        counts,
        len(files),
        sum(len(contents[path]["images"]) for path in val) or None,
        files,
        notes,
        tests if "test" in data else None,
    )


def _series(folder: Path, paths: list[Path], contents: Contents) -> list[Path]:
    """Return the files of a split that are its parts, as train_1.json and train_2.json are.

    These are counted from 0 or 1, and share no image. Of others the first is all there is.
    """
    named = [re.fullmatch(r"(.*\D|)(\d{1,3})", path.stem) for path in paths]
    pairs = zip(named, paths, strict=True)
    numbered = sorted((int(match[2]), match[1], path) for match, path in pairs if match)
    numbers = [number for number, _, _ in numbered]
    first = min(numbers, default=2)
    names = {(name, path.parent) for _, name, path in numbered}
    series = first < 2 and numbers == list(range(first, first + len(paths)))
    if len(paths) < 2 or len(names) > 1 or not series:
        return paths[:1]
    ordered = [path for _, _, path in numbered]
    files = _files(_placed(folder, ordered, contents), contents)
    return ordered if files and len({*files}) == len(files) else paths[:1]


def _placed(folder: Path, paths: list[Path], contents: Contents) -> dict[Path, Path]:
    """Return the folder of the images of each file, or nothing if one has none."""
    found = {path: find_root(folder, path, _names_of_images(contents[path])) for path in paths}
    return {path: images for path, images in found.items() if images and all(found.values())}


def _files(placed: dict[Path, Path], contents: Contents) -> list[Path]:
    return [it / name for path, it in placed.items() for name in _names_of_images(contents[path])]


def _one_or_more(placed: dict[Path, Path]) -> Any:
    tables = [{"images": str(images), "json": str(path)} for path, images in placed.items()]
    return tables if len(tables) > 1 else tables[0]


def _coco_files(folder: Path) -> Contents:
    """Read COCO's JSON files in a folder."""
    contents: Contents = {}
    # The last is where Roboflow has them.
    for path in matching(folder, "*.json", "annotations/*.json", "*/_annotations.coco.json"):
        if path.stat().st_size < LARGEST and (content := _coco_content(path)):
            contents[path] = content
    return contents


def _coco_content(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    keys = {"images", "annotations", "categories"}
    whole = isinstance(content, dict) and keys <= content.keys() and content["images"]
    return content if whole else None


def _names_of_images(content: dict[str, Any]) -> list[str]:
    return [row["file_name"] for row in content["images"]]


# ---- Pascal VOC ----


def read_voc(folder: Path) -> Iterator[Found]:
    roots = [it for it in (folder, *children(folder)) if (it / "ImageSets/Main").is_dir()]
    if not roots or not (roots[0] / "Annotations").is_dir():
        yield from _voc_folders(folder)
        return
    root = roots[0]
    lists = {it.stem: it for it in matching(root / "ImageSets/Main", "*.txt")}
    train = next((name for name in ("train", "trainval") if name in lists), None)
    if train is None:
        return
    splits = find_splits(name for name in lists if name != "trainval")
    val, test = splits.get("val"), splits.get("test")
    data: dict[str, Any] = {"format": "voc", "root": str(root)}
    data |= {"train": train} if train != "train" else {}
    data |= {"val_fraction": VAL_FRACTION} if val is None else {"val": val} if val != "val" else {}
    images = {it.stem: it for it in matching(root / "JPEGImages", "*") if _is_image(it)}
    names = [line.split()[0] for line in read_lines(lists[train])]
    files = [images.get(name, root / f"JPEGImages/{name}.jpg") for name in names]
    counts, notes = _count_objects([root / f"Annotations/{name}.xml" for name in names])
    tests = read_lines(lists[test]) if test else []
    if test and all((root / f"Annotations/{line.split()[0]}.xml").is_file() for line in tests):
        data["test"] = test
    elif test:
        notes += kept_for_tests(str(lists[test]), len(tests), "images")
    held = len(read_lines(lists[val])) if val else None
    tested = len(tests) if "test" in data else None
    yield Found("detection", data, counts, len(names), held, files, notes, tested)


def _voc_folders(folder: Path) -> Iterator[Found]:
    """Recognise XML files without lists, beside the images or in a folder of their own."""
    inside = {it.name: it for it in children(folder)}
    splits = find_splits(name for name, path in inside.items() if matching(path, "*.xml"))
    xml = next((it for it in inside.values() if it.name.lower() in XML_FOLDERS), None)
    data: dict[str, Any] = {"format": "voc-folders", "root": str(folder)}
    if "train" in splits:
        data["train"] = splits["train"]
    elif matching(folder, "*.xml") and media(folder, IMAGES):
        data["train"] = "."
    elif xml and matching(xml, "*.xml"):
        images = [it.name for it in inside.values() if it != xml and media(it, IMAGES)]
        if len(images) != 1:
            return
        data |= {"train": images[0], "xml": xml.name}
    else:
        return
    files = media(folder / data["train"], IMAGES)
    held = test = None
    if "train" in splits and "val" in splits:
        held = len(media(inside[splits["val"]], IMAGES))
        data["val"] = splits["val"]
    else:
        data["val_fraction"] = VAL_FRACTION
    if "train" in splits and "test" in splits:
        test = inside[splits["test"]]
    annotations = [file.with_suffix(".xml") for file in files]
    if xml and "xml" in data:
        annotations = [xml / file.name for file in annotations]
    counts, notes = _count_objects(annotations)
    tests = media(test, IMAGES) if test else []
    xmls = [xml / it.name if xml and "xml" in data else it for it in tests]
    if test and all(it.with_suffix(".xml").is_file() for it in xmls):
        data["test"] = test.name
    elif test:
        notes += kept_for_tests(str(test), len(tests), "images")
    tested = len(tests) if "test" in data else None
    yield Found("detection", data, counts, len(files), held, files, notes, tested)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES


def _count_objects(files: Sequence[Path]) -> tuple[Counter[str], tuple[str, ...]]:
    """Return the number of objects of each class in XML files, and which of these are missing."""
    counts: Counter[str] = Counter()
    missing = []
    for file in files:
        try:
            objects = ElementTree.parse(file).getroot().findall("object")
        except (OSError, ElementTree.ParseError, LookupError, ValueError):
            missing.append(file)
            continue
        counts.update(it.findtext("name", "").strip() for it in objects)
    if len(missing) == len(files):
        raise LookupError("no XML file at all")
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    return counts, (f"no XML that can be read: {missing[0]}{more}",) if missing else ()
