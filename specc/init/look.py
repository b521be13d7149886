"""What data lie in a folder, and in which of the formats that a spec can name."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from specc.plan.places import IMAGES, VIDEOS

VAL = ("val", "valid", "validation", "test")
VAL_FRACTION = 0.2  # where there is no such part
LARGEST = 500_000_000  # bytes of a JSON file that is read
LINES = 200_000  # of a list file that are read
FRAMES = re.compile(r"(.*?)(\d+)(\.\w+)")


@dataclass(frozen=True)
class Found:
    """Data in one format."""

    task: str
    data: dict[str, Any]  # the keys of [data]
    counts: dict[str, int]  # training samples of each class; of detection, objects
    train: int  # samples
    val: int | None  # None where they have to be taken from the training samples
    files: list[Path] = field(default_factory=list)  # to look at

    @property
    def format(self) -> str:
        return str(self.data["format"])


def look(folder: Path, format: str | None = None) -> list[Found]:
    """All that `folder` can be taken for; only in one format, if that is named.

    Folders count as classes only if no file tells what is in them.
    """
    found: list[Found] = []
    for looker in LOOKERS:
        try:
            found += looker(folder)
        except (LookupError, TypeError, ValueError, AttributeError, csv.Error):
            continue  # a file that has the name of one of the format only
    if not found or format in ("imagefolder", "videofolder"):
        found += _folders(folder)
    return [it for it in found if format in (None, it.format)]


def _folders(folder: Path) -> Iterator[Found]:
    """Images or videos in a folder for each class, in parts or not."""
    parts = {it.name: classes for it in _children(folder) if (classes := _classes(it))}
    val = next((name for name in VAL if name in parts), None)
    held = None
    named: dict[str, Any] = {}
    if "train" not in parts:
        named = {"val_fraction": VAL_FRACTION}
    elif val is None:
        named = {"val_fraction": VAL_FRACTION, "train": "train"}
    else:
        named = {"val": val} if val != "val" else {}
        held = sum(map(len, parts[val].values()))
    classes = parts["train"] if "train" in parts else _classes(folder)
    if len(classes) < 2:
        return
    files = [file for inside in classes.values() for file in inside]
    videos = sum(map(_is_video, files)) * 2 > len(files)
    kind = "videofolder" if videos else "imagefolder"
    data = {"format": kind, "root": str(folder), **named}
    counts = {name: len(inside) for name, inside in classes.items()}
    task = "video-classification" if videos else "classification"
    yield Found(task, data, counts, len(files), held, files)


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images or videos in each folder of `folder`."""
    found = {
        it.name: [
            file
            for file in sorted(it.rglob("*"))
            if file.suffix.lower() in (*IMAGES, *VIDEOS) and file.is_file()
        ]
        for it in _children(folder)
    }
    return {name: files for name, files in found.items() if files}


def _lists(folder: Path) -> Iterator[Found]:
    """Lines of a path and a label; or of a folder of frames, their number and a label."""
    for train in sorted(folder.glob("*train*.txt")):
        val = _beside(train)
        rows = [line.rsplit(maxsplit=1) for line in _lines(train)]
        if not rows or not all(len(row) == 2 for row in rows):
            continue
        counts = Counter(label for _, label in rows)
        if root := _root(folder, train, _names(train)):
            data = _parts("list", root, train, val and _root(folder, val, _names(val)), val)
            files = [root / name for name in _names(train)]
            videos = _is_video(files[0])
            data["format"] = "videos" if videos else "list"
            task = "video-classification" if videos else "classification"
            yield Found(task, data, counts, len(rows), _held(data, val), files)
            continue
        for columns in (2, 3):  # the number of frames and the label; or an offset and these
            names = _names(train, columns)
            root = _root(folder, train, names)
            frames = sorted(it.name for it in (root / names[0]).iterdir()) if root else []
            if root and frames and (match := FRAMES.fullmatch(frames[0])):
                val_root = val and _root(folder, val, _names(val, columns))
                data = _parts("list", root, train, val_root, val) | {"format": "rawframes"}
                data["frame_name"] = f"{match[1]}{{:0{len(match[2])}}}{match[3]}"
                data |= {"first_frame": int(match[2])} if int(match[2]) != 1 else {}
                data |= {"with_offset": True} if columns == 3 else {}
                files = [root / name / frames[0] for name in names]
                held = _held(data, val)
                yield Found("video-classification", data, counts, len(rows), held, files)
                break


def _held(data: dict[str, Any], val: Path | None, head: int = 0) -> int | None:
    """The validation samples in a file, if there is one and [data] names it."""
    return len(_lines(val)) - head if val and "val" in data else None


def _names(path: Path, columns: int = 1) -> list[str]:
    """What stands before so many columns at the end of each line."""
    return [line.rsplit(maxsplit=columns)[0] for line in _lines(path)]


def _root(folder: Path, listed: Path, names: list[str]) -> Path | None:
    """The folder, this or one in it, from which on the names in a file are paths."""
    inside = _likeliest([folder, *_children(folder)], folder, listed)
    return next((it for it in inside if all((it / n).exists() for n in names[:20])), None)


def _likeliest(inside: Iterable[Path], folder: Path, listed: Path) -> list[Path]:
    """Folders in `folder`, those first that are called as the part of the data in a file is.

    The training and the validation samples may have the same names.
    """
    name = str(listed.relative_to(folder))
    part = next(it for it in ("train", *VAL, "") if it in name)

    def rank(path: Path) -> tuple[bool, bool]:
        name = str(path.relative_to(folder))
        return part not in name, any(it in name for it in ("train", *VAL))

    return sorted(inside, key=rank)


def _parts(
    kind: str, root: Path, train: Path, val_root: Path | None, val: Path | None
) -> dict[str, Any]:
    """The keys of [data] for a file of training samples, and one of validation samples if any."""
    data: dict[str, Any] = {"format": kind, "train": {"root": str(root), kind: str(train)}}
    if val and val_root:
        return data | {"val": {"root": str(val_root), kind: str(val)}}
    return data | {"val_fraction": VAL_FRACTION}


def _tables(folder: Path) -> Iterator[Found]:
    """A CSV with a column of paths and one of labels."""
    for train in sorted(folder.glob("*train*.csv")):
        rows = _rows(train)
        columns = list(rows[0]) if rows else []
        image = next((it for it in columns if _is_image(rows[0][it])), None)
        label = next((it for it in ("label", "class", "target") if it in columns), None)
        if not image or not label:
            continue
        root = _root(folder, train, [row[image] for row in rows])
        if not root:
            continue
        val = _beside(train)
        data = _parts(
            "csv", root, train, val and _root(folder, val, [row[image] for row in _rows(val)]), val
        )
        data |= {"image_column": image} if image != "image" else {}
        data |= {"label_column": label} if label != "label" else {}
        counts = Counter(str(row[label]) for row in rows)
        held = _held(data, val, head=1)
        files = [root / row[image] for row in rows]
        yield Found("classification", data, counts, len(rows), held, files)


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV under the names of their columns."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _coco(folder: Path) -> Iterator[Found]:
    contents: dict[Path, dict[str, Any]] = {}
    places = ("*.json", "annotations/*.json", "*/_annotations.coco.json")  # the last: Roboflow's
    for path in sorted(it for place in places for it in folder.glob(place)):
        if path.stat().st_size < LARGEST and (content := _coco_content(path)):
            contents[path] = content
    names = {str(it.relative_to(folder)): it for it in contents}
    train = next((it for name, it in names.items() if "train" in name), None)
    if train is None and len(contents) == 1:
        (train,) = contents
    if train is None:
        return
    content = contents[train]
    vals = (it for part in VAL for name, it in names.items() if part in name)
    val = next(vals, None)
    images = _images_of(folder, train, content)
    if images is None:
        return
    data: dict[str, Any] = {
        "format": "coco",
        "train": {"images": str(images), "json": str(train)},
    }
    val_images = _images_of(folder, val, contents[val]) if val else None
    if val and val_images:
        data["val"] = {"images": str(val_images), "json": str(val)}
    else:
        data["val_fraction"] = VAL_FRACTION
    classes = {row["id"]: str(row["name"]) for row in content["categories"]}
    objects = [it for it in content["annotations"] if it.get("category_id") in classes]
    counts = Counter(dict.fromkeys(classes.values(), 0))
    counts.update(classes[it["category_id"]] for it in objects)
    masks = bool(objects) and all(it.get("segmentation") for it in objects)
    yield Found(
        "instance-segmentation" if masks else "detection",
        data,
        counts,
        len(content["images"]),
        len(contents[val]["images"]) if val and val_images else None,
        [images / row["file_name"] for row in content["images"]],
    )


def _coco_content(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    keys = {"images", "annotations", "categories"}
    return content if isinstance(content, dict) and keys <= content.keys() else None


def _images_of(folder: Path, path: Path, content: dict[str, Any]) -> Path | None:
    """The folder in which the images of a JSON file lie."""
    names = [row["file_name"] for row in content["images"][:20]]
    inside = [folder, folder / "images", *_children(folder), *_children(folder / "images")]
    inside = _likeliest(inside, folder, path)
    return next((it for it in inside if names and all((it / n).is_file() for n in names)), None)


def _voc(folder: Path) -> Iterator[Found]:
    roots = [it for it in (folder, *_children(folder)) if (it / "ImageSets/Main").is_dir()]
    if not roots or not (roots[0] / "Annotations").is_dir():
        return
    root = roots[0]
    lists = {it.stem: it for it in (root / "ImageSets/Main").glob("*.txt")}
    train = next((name for name in ("train", "trainval") if name in lists), None)
    if train is None:
        return
    val = next((name for name in VAL if name in lists), None)
    data: dict[str, Any] = {"format": "voc", "root": str(root)}
    data |= {"train": train} if train != "train" else {}
    data |= {"val_fraction": VAL_FRACTION} if val is None else {"val": val} if val != "val" else {}
    names = [line.split()[0] for line in _lines(lists[train])]
    counts: Counter[str] = Counter()
    for name in names:
        text = (root / f"Annotations/{name}.xml").read_text(encoding="utf-8", errors="replace")
        counts.update(re.findall(r"<object>.*?<name>\s*(.*?)\s*</name>", text, re.DOTALL))
    held = len(_lines(lists[val])) if val else None
    files = [root / f"JPEGImages/{name}.jpg" for name in names]
    yield Found("detection", data, counts, len(names), held, files)


def _yolo(folder: Path) -> Iterator[Found]:
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        if not isinstance(content, dict) or not {"names", "train"} <= content.keys():
            continue
        listed = content["names"]
        names = list(listed.values()) if isinstance(listed, dict) else list(listed)
        train = str(content["train"]).removeprefix("./").removeprefix("../")
        val = str(content.get("val") or "").removeprefix("./").removeprefix("../")
        files = _images(folder / train)
        if not files:
            continue
        data: dict[str, Any] = {"format": "yolo", "root": str(folder), "classes": names}
        data |= {"train": train} if train != "images/train" else {}
        if val and (held := len(_images(folder / val))):
            data |= {"val": val} if val != "images/val" else {}
        else:
            held = 0
            data["val_fraction"] = VAL_FRACTION
        counts = Counter(dict.fromkeys(map(str, names), 0))
        polygons = False
        for file in files:
            label = Path(str(file.parent).replace("images", "labels", 1), f"{file.stem}.txt")
            for words in map(str.split, _lines(label) if label.is_file() else []):
                if words[0].isdecimal() and int(words[0]) < len(names):
                    counts[str(names[int(words[0])])] += 1
                polygons = polygons or len(words) > 5
        task = "instance-segmentation" if polygons else "detection"
        yield Found(task, data, counts, len(files), held or None, files)
        return


def _video_sets(folder: Path) -> Iterator[Found]:
    """Kinetics' and UCF101's own files."""
    table = folder / "annotations/train.csv"
    if table.is_file() and (folder / "train").is_dir():
        rows = _rows(table)
        if rows and {"label", "youtube_id"} <= rows[0].keys():
            data: dict[str, Any] = {"format": "kinetics", "root": str(folder)}
            counts = Counter(row["label"] for row in rows)
            files = _videos(folder / "train")
            val = next((it for it in VAL if (folder / f"annotations/{it}.csv").is_file()), None)
            data |= {"val_fraction": VAL_FRACTION} if val is None else {}
            data |= {"val": val} if val not in (None, "val") else {}
            held = len(_videos(folder / val)) if val else None
            yield Found("video-classification", data, counts, len(files), held, files)
    lists = folder / "ucfTrainTestlist"
    if (lists / "trainlist01.txt").is_file() and (folder / "UCF-101").is_dir():
        names = [line.split()[0] for line in _lines(lists / "trainlist01.txt")]
        counts = Counter(name.partition("/")[0] for name in names)
        held = len(_lines(lists / "testlist01.txt"))
        data = {"format": "ucf101", "root": str(folder)}
        files = [folder / "UCF-101" / name for name in names]
        yield Found("video-classification", data, counts, len(files), held, files)


LOOKERS: tuple[Callable[[Path], Iterator[Found]], ...] = (
    _yolo,
    _coco,
    _voc,
    _video_sets,
    _lists,
    _tables,
)


def _children(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(it for it in folder.iterdir() if it.is_dir() and not it.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return [it for it in sorted(folder.rglob("*")) if it.suffix.lower() in IMAGES]


def _videos(folder: Path) -> list[Path]:
    return [it for it in sorted(folder.rglob("*")) if _is_video(it)]


def _is_image(text: str | None) -> bool:
    return Path(text or "").suffix.lower() in IMAGES


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.splitlines()[:LINES] if line.strip()]


def _beside(train: Path) -> Path | None:
    """The validation file that belongs to a training file."""
    names = (train.name.replace("train", name) for name in VAL)
    return next((it for it in map(train.with_name, names) if it.is_file()), None)
