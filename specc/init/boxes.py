"""Data of detection: COCO's and Pascal VOC's files."""

import json
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


def read_coco(folder: Path) -> Iterator[Found]:
    contents = _coco_files(folder)
    splits: dict[str, Path] = {}
    for path in contents:
        splits.setdefault(split_of(folder, path), path)
    if "train" not in splits and len(contents) == 1:
        splits = {"train": path}
    if "train" not in splits:
        return
    train, val, test = (splits.get(split) for split in ("train", "val", "test"))
    assert train is not None
    content, files = contents[train], _names_of_images(contents[train])
    images = find_root(folder, train, files)
    if images is None:
        return
    data: dict[str, Any] = {
        "format": "coco",
        "train": {"images": str(images), "json": str(train)},
    }
    val_files = _names_of_images(contents[val]) if val else []
    val_images = find_root(folder, val, val_files) if val else None
    if val_images:
        data["val"] = {"images": str(val_images), "json": str(val)}
    else:
        data["val_fraction"] = VAL_FRACTION
    classes = {row["id"]: str(row["name"]).strip() for row in content["categories"]}
    objects = [it for it in content["annotations"] if it.get("category_id") in classes]
    counts = Counter(dict.fromkeys(classes.values(), 0))
    counts.update(classes[it["category_id"]] for it in objects)
    masks = bool(objects) and all(it.get("segmentation") for it in objects)
    tests = len(contents[test]["images"]) if test else 0
    notes: tuple[str, ...] = ()
    if test:
        test_images = find_root(folder, test, _names_of_images(contents[test]))
        if test_images and contents[test]["annotations"]:
            data["test"] = {"images": str(test_images), "json": str(test)}
        else:
            notes = kept_for_tests(str(test), tests, "images")
    yield Found(
        "instance-segmentation" if masks else "detection",
        data,
        counts,
        len(files),
        len(val_files) if val_images else None,
        [images / name for name in files],
        notes,
        tests if "test" in data else None,
    )


def _coco_files(folder: Path) -> dict[Path, dict[str, Any]]:
    """Read COCO's JSON files in a folder."""
    contents: dict[Path, dict[str, Any]] = {}
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
