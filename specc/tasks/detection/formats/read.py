"""Classes and images in annotations of objects, where these can be read."""

import glob
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from xml.etree import ElementTree

from specc.catalog.classes import classes
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.common.lists import Unreadable
from specc.tasks.common.places import IMAGES
from specc.tasks.common.remember import remembered
from specc.tasks.detection.formats.files import find_images, read_text, read_xml
from specc.tasks.detection.formats.language import (
    BoxData,
    Cityscapes,
    Coco,
    Voc,
    VocFolders,
    WiderFace,
    Yolo,
)
from specc.tasks.detection.formats.yolo import yolo_images, yolo_keypoints, yolo_names

LARGE = 100_000_000  # bytes of JSON that take too long to read here


# "train" or "val", a file or folder that names images of that, and these.
Listed = tuple[str, str, Sequence[Path]]


@dataclass(frozen=True)
class Seen:
    """The classes and images that annotations have."""

    # The names of all classes that a file or folder tells of, in its order.
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: int = 0  # to train on, at most; 0 if that is not known
    # The names that stand for no class: of categories without objects.
    idle: frozenset[str] = frozenset()
    keypoints: int = 0  # numbers of keypoints that follow the box in a line of YOLO's


def look(data: BoxData, masks: bool, problems: Problems) -> Seen:
    """Read what is here, and report what is missing beside it, or not as it should be."""
    places: dict[Path, Key] = {}
    for path, key in _places(data, masks):
        places.setdefault(path, key)
    here = [path for path in places if os.path.exists(path)]
    missing: dict[Key, list[str]] = {}
    for path, key in places.items():
        if path not in here:
            missing.setdefault(key, []).append(str(path))
    for key, paths in missing.items() if here else ():
        hint = "; write e.g. val_fraction = 0.2" if key[1] == "val" and not data.val else ""
        there = f"there is no {' and no '.join(paths)}, but there is {here[0]}"
        problems.add(key, f"{there}{hint}")
    train = [key for key in missing if key[1] not in ("val", "test")]
    try:
        if not missing:
            _check_lists(data, masks, problems)
        if not isinstance(data, Coco):
            note_shared(_listed(data, masks), problems)
        match data:
            case Coco():
                return _coco(data, masks, problems)
            case Yolo():
                files = [] if train else [yolo_images(data.root, it) for it in training(data)]
                count = sum(map(len, files))
                return Seen(yolo_names(data), count, keypoints=yolo_keypoints(data))
            case Cityscapes():
                names = tuple(classes("cityscapes").numbers)
                pattern = "*/*_leftImg8bit.png"
                folders = [Path(data.root, "leftImg8bit", it) for it in training(data)]
                images = sum(len(glob.glob(pattern, root_dir=it)) for it in folders)
                return Seen({"Cityscapes": names}, images)
            case Voc() if not train:
                return _voc(data, masks)
            case VocFolders() if not train:
                return _voc_folders(data)
            case WiderFace() if not train:
                return Seen(images=_wider_images(data))
    except (Unreadable, OSError) as error:
        problems.add(("data",), str(error))
    return Seen()


def parts(data: BoxData) -> dict[str, Any]:
    """Return the values of data.train, data.val and data.test that are images of their own."""
    val: Any = data.val
    if not isinstance(data, Coco):
        default = "images/val" if isinstance(data, Yolo) else "val"
        val = None if data.val_fraction else val or default
    found = {"train": data.train, "val": val, "test": data.test}
    return {part: value for part, value in found.items() if value}


def each(data: BoxData) -> Iterator[tuple[str, Key, Any]]:
    """Yield each value of data.train and data.val, be it one or in a list: part, key and value."""
    for part, value in parts(data).items():
        if isinstance(value, list):
            yield from ((part, ("data", part, index), it) for index, it in enumerate(value))
        else:
            yield part, ("data", part), value


def note_shared(listed: Iterable[Listed], problems: Problems) -> None:
    """Note images that are in several of the files or folders of a part."""
    places: dict[tuple[str, str], list[str]] = {}
    for part, place, images in listed:
        for path in dict.fromkeys(os.path.normpath(it) for it in images):
            places.setdefault((part, path), []).append(place)
    shared = [it for it in places.items() if len(it[1]) > 1]
    for part in dict.fromkeys(part for (part, _), _ in shared):
        found = [(path, those) for (its_part, path), those in shared if its_part == part]
        path, (first, second, *_) = found[0]
        things = f"{len(found)} images are" if len(found) > 1 else "1 image is"
        message = f"{things} there several times, e.g. {path} in {first} and {second}"
        problems.note(("data", part), message)


def training(data: BoxData) -> list[Any]:
    """Return the values of data.train, be it one or a list."""
    return [value for part, _, value in each(data) if part == "train"]


def voc_lists(names: str | list[str], masks: bool) -> list[str]:
    """Return the files in VOC's folder that list images: of "VOC2007/train" and the like."""
    kind = "Segmentation" if masks else "Main"
    paths = [PurePath(name) for name in ([names] if isinstance(names, str) else names)]
    return [str(path.parent / "ImageSets" / kind / f"{path.name}.txt") for path in paths]


# ---- where things are ----


def _places(data: BoxData, masks: bool) -> Iterator[tuple[Path, Key]]:
    """Yield the files and folders that the format has."""
    for _, key, value in each(data):
        match data:
            case Coco():
                yield Path(value.json), (*key, "json")
                yield Path(value.images), (*key, "images")
            case Voc():
                for path in voc_lists(value, masks):
                    folder = Path(data.root, path).parents[2]
                    yield Path(data.root, path), key
                    for name in ("Annotations", "JPEGImages", *["SegmentationObject"] * masks):
                        yield folder / name, ("data", "root")
            case VocFolders():
                yield Path(data.root, value), key
                if data.xml:
                    yield Path(data.root, data.xml), ("data", "xml")
            case Cityscapes():
                yield Path(data.root, "leftImg8bit", value), key
                yield Path(data.root, "gtFine", value), key
            case WiderFace(annotations="text"):
                yield _wider_list(data, value), key
                yield Path(data.root, f"WIDER_{value}", "images"), key
            case WiderFace():
                yield _wider_list(data, value), key
                yield Path(data.root, f"WIDER_{value}"), key
                yield Path(data.root, f"WIDER_{value}", "Annotations"), key
            case Yolo():
                images = Path(data.root, value)
                yield images, key
                beside = any(path.with_suffix(".txt").exists() for path in find_images(images))
                if images.suffix != ".txt" and not beside:
                    labels = "/labels/".join(f"/{images.as_posix()}/".rsplit("/images/", 1))
                    yield Path(labels[1:]), key


def _wider_list(data: WiderFace, part: str) -> Path:
    if data.annotations == "voc":
        return Path(data.root, f"{part}.txt")
    return Path(data.root, "wider_face_split", f"wider_face_{part}_bbx_gt.txt")


# ---- what they say ----


def _listed(data: BoxData, masks: bool) -> Iterator[Listed]:
    """Yield the images of each value of a list."""
    for part, key, value in each(data):
        if len(key) < 3:
            continue
        match data:
            case Voc():
                yield part, value, _voc_files(data, value, masks)
            case VocFolders():
                yield part, value, find_images(Path(data.root, value))
            case Yolo():
                here = Path(data.root, value).exists()
                yield part, value, yolo_images(data.root, value) if here else ()
            case _:
                yield part, value, [Path(value)]


@remembered
def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _coco(data: Coco, masks: bool, problems: Problems) -> Seen:
    names: dict[str, tuple[str, ...]] = {}
    named: dict[str, dict[str, None]] = {}  # the names in all files of a part, in order
    unread: set[str] = set()  # parts with a file that is absent, too large or malformed
    listed: list[Listed] = []
    images = 0
    idle: set[str] = set()
    used: set[str] = set()
    for part, key, split in each(data):
        path, key = Path(split.json), (*key, "json")
        if not path.is_file() or path.stat().st_size > LARGE:
            unread.add(part)
            continue
        try:
            content = _json(path)
            rows = sorted(content["categories"], key=lambda row: row["id"])
            rows = [row | {"name": str(row["name"]).strip()} for row in rows]
            named.setdefault(part, {}).update(dict.fromkeys(row["name"] for row in rows))
            # Roboflow's first category is the project, of which the others are; labelme has
            # its background in all lists.
            above = {"_background_", *(str(row.get("supercategory")).strip() for row in rows)}
            ids = {row.get("category_id") for row in content["annotations"]}
            if part != "test":  # which has no say in what the classes are
                used |= {row["name"] for row in rows if row["id"] in ids}
            idle |= {
                row["name"]
                for row in rows
                if row["name"] in above and row.get("supercategory") != row["name"]
            }
            rows = [row for row in content["images"] if {"id", "file_name"} <= row.keys()]
            files = {row["id"]: Path(split.images, row["file_name"]) for row in rows}
            objects = [row for row in content["annotations"] if row.get("iscrowd") not in (1, "1")]
            wanted = set(files) if data.keep_empty else {row.get("image_id") for row in objects}
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            wants = "categories, images and annotations"
            problems.add(key, f"{path}: not JSON with {wants} as COCO has them ({error!r})")
            problems.left_out([("data", "classes")])
            unread.add(part)
            continue
        if part == "test" and not content["annotations"]:
            message = "has no annotations to compare with; leave it out"
            problems.add(key, f"{path} {message}")
        _check_files(data, path, list(files.values()), key, problems)
        if masks and objects and not any(row.get("segmentation") for row in objects):
            message = 'no object has a segmentation; write task = "detection"'
            problems.add(key, f"{path}: {message}", ("task",))
        listed.append((part, split.json, list(files.values())))
        if part == "train":
            images += len(wanted & set(files))
    note_shared(listed, problems)
    for part, found in named.items():
        if part not in unread:
            split = getattr(data, part)
            place = f"data.{part}" if isinstance(split, list) else split.json
            names[place] = tuple(found)
    return Seen(names, 0 if "train" in unread else images, frozenset(idle - used))


def _check_files(
    data: BoxData, path: Path, files: Sequence[Path], key: Key, problems: Problems
) -> None:
    """Report which of the files that a list names are missing."""
    missing = [file for file in files if not file.exists()]
    things = "file" if {file.suffix for file in missing} & {".xml"} else "image"
    if missing and len(missing) == len(files):
        all_ = f"{len(files)} {things}s are" if len(files) > 1 else f"1 {things} is"
        problems.add(key, f"{path}: all of its {all_} missing, e.g. {missing[0]}")
    elif missing and data.on_bad_annotation == "error":
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        problems.add(key, f"{path}: no {things} {missing[0]}{more}")


def _check_lists(data: BoxData, masks: bool, problems: Problems) -> None:
    """Report what is missing of that which lists of images name."""
    for _, key, value in each(data):
        paths: list[Path] = []
        match data:
            case Yolo() if value.endswith(".txt"):
                paths = [Path(data.root, value)]
            case Voc():
                paths = [Path(data.root, name) for name in voc_lists(value, masks)]
            case WiderFace():
                paths = [_wider_list(data, value)]
        for path in filter(Path.is_file, paths):
            _check_files(data, path, _files_of(data, value, path), key, problems)


def _files_of(data: BoxData, part: str, path: Path) -> list[Path]:
    """Return the files that a list of images names."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    match data:
        case Voc():
            folder = path.parents[2] / "JPEGImages"
            there = {it.stem: it for it in folder.iterdir() if it.suffix.lower() in IMAGES}
            return [there.get(line, folder / f"{line}.jpg") for line in lines]
        case WiderFace(annotations="voc"):
            folder = Path(data.root, f"WIDER_{part}", "Annotations")
            return [folder / f"{line}.xml" for line in lines]
        case WiderFace():
            folder = Path(data.root, f"WIDER_{part}", "images")
            return [folder / line for line in lines if Path(line).suffix.lower() in IMAGES]
    return [path.parent / line for line in lines]


@remembered
def _voc(data: Voc, masks: bool) -> Seen:
    names: set[str] = set()
    images = 0
    for part, _, value in each(data):
        if part == "test":  # which has no say in what the classes are
            continue
        files = _voc_files(data, value, masks)
        images += len(files) if part == "train" else 0
        names.update(*map(read_voc_names, files))
    found = tuple(sorted(names - {""}))
    return Seen({data.root: found} if found else {}, images)


def _voc_files(data: Voc, name: str, masks: bool) -> list[Path]:
    """Return the XML files of the images in a list."""
    (path,) = voc_lists(name, masks)
    file = Path(data.root, path)
    lines = map(str.strip, read_text(file).splitlines() if file.exists() else ())
    return [file.parents[2] / "Annotations" / f"{line}.xml" for line in lines if line]


@remembered
def _voc_folders(data: VocFolders) -> Seen:
    names: set[str] = set()
    images = 0
    for part, _, value in each(data):
        if part == "test":
            continue
        files = find_images(Path(data.root, value))
        images += len(files) if part == "train" else 0
        for image in files:
            xml = image.with_suffix(".xml")
            names |= set(read_voc_names(Path(data.root, data.xml, xml.name) if data.xml else xml))
    found = tuple(sorted(names - {""}))
    return Seen({data.root: found} if found else {}, images)


def read_voc_names(xml: Path) -> list[str]:
    """Return the classes of a file's objects; none where it cannot be read, which training says."""
    try:
        objects = read_xml(xml).findall("object")
    except (OSError, ElementTree.ParseError, LookupError, ValueError):
        return []
    return [it.findtext("name", "").strip() for it in objects]


def _wider_images(data: WiderFace) -> int:
    texts = [read_text(_wider_list(data, it)) for it in training(data)]
    if data.annotations == "voc":
        return len(" ".join(texts).split())
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sum(Path(line).suffix.lower() in IMAGES for line in lines)
