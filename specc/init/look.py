"""What data lie in a folder, and in which of the formats that a spec can name."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from specc.plan.lists import DELIMITERS
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
    found = {it.name: _files(it, (*IMAGES, *VIDEOS)) for it in _children(folder)}
    return {name: files for name, files in found.items() if files}


def _lists(folder: Path) -> Iterator[Found]:
    """Lines of a path and a label; or of a folder of frames, their number and a label."""
    for train in sorted(folder.glob("*train*.txt")):
        val = _beside(train)
        lines, val_lines = _lines(train), _lines(val) if val else []
        if not lines or not all(len(line.split()) > 1 for line in lines):
            continue
        # At a line's end: the label; the number of frames and it; an offset, and these two.
        for columns in (1, 2, 3):
            names = _names(lines, columns)
            if root := _root(folder, train, names):
                break
        else:
            continue
        data, held = _parts("list", folder, train, root, val, _names(val_lines, columns))
        counts = Counter(line.split()[-1] for line in lines)
        files, task = [root / name for name in names], "video-classification"
        if columns == 1 and _is_video(files[0]):
            data["format"] = "videos"
        elif columns == 1:
            task = "classification"
        else:
            frames = sorted(it.name for it in files[0].glob("*"))
            if not frames or not (match := FRAMES.fullmatch(frames[0])):
                continue
            data["format"] = "rawframes"
            data["frame_name"] = f"{match[1]}{{:0{len(match[2])}}}{match[3]}"
            data |= {"first_frame": int(match[2])} if int(match[2]) != 1 else {}
            data |= {"with_offset": True} if columns == 3 else {}
            files = [it / frames[0] for it in files]
        yield Found(task, data, counts, len(lines), held, files)


def _names(lines: list[str], columns: int) -> list[str]:
    """What stands before so many columns at the end of each line."""
    return [line.rsplit(maxsplit=columns)[0] for line in lines]


def _root(folder: Path, listed: Path, names: list[str]) -> Path | None:
    """The folder, this or one in it, from which on the names in a file are paths.

    The training and the validation samples may have the same names: a folder that is called as
    the file's part of the data comes first, one that is called as another part comes last.
    """
    part = _part(folder, listed)
    inside = [folder, *_children(folder), *_children(folder / "images")]
    inside.sort(key=lambda it: (part not in str(it.relative_to(folder)), _part(folder, it) != ""))
    return next((it for it in inside if all((it / n).exists() for n in names[:20])), None)


def _part(folder: Path, path: Path) -> str:
    """What part of the data a path in `folder` names: "train", one of VAL, or "" for none."""
    name = str(path.relative_to(folder))
    return next(it for it in ("train", *VAL, "") if it in name)


def _parts(
    kind: str, folder: Path, train: Path, root: Path, val: Path | None, val_names: list[str]
) -> tuple[dict[str, Any], int | None]:
    """The keys of [data] for a file of training samples and one of validation samples.

    And how many those are; None where there is no such file, or not what it names.
    """
    data = {"format": kind, "train": {"root": str(root), kind: str(train)}}
    if val and (val_root := _root(folder, val, val_names)):
        return data | {"val": {"root": str(val_root), kind: str(val)}}, len(val_names)
    return data | {"val_fraction": VAL_FRACTION}, None


def _tables(folder: Path) -> Iterator[Found]:
    """A CSV with a column of paths and one of labels."""
    for train in sorted(folder.glob("*train*.csv")):
        delimiter = _delimiter(train)
        rows = _rows(train, delimiter)
        columns = list(rows[0]) if rows else []
        image = next((it for it in columns if _is_image(rows[0][it])), None)
        label = next((it for it in ("label", "class", "target") if it in columns), None)
        if not image or not label:
            continue
        root = _root(folder, train, [row[image] for row in rows])
        if not root:
            continue
        val = _beside(train)
        val_names = [row[image] for row in _rows(val, delimiter)] if val else []
        data, held = _parts("csv", folder, train, root, val, val_names)
        data |= {"delimiter": delimiter} if delimiter != "," else {}
        data |= {"image_column": image} if image != "image" else {}
        data |= {"label_column": label} if label != "label" else {}
        counts = Counter(str(row[label]) for row in rows)
        files = [root / row[image] for row in rows]
        yield Found("classification", data, counts, len(rows), held, files)


def _delimiter(path: Path) -> str:
    """Return what stands between the fields of a CSV's header most often."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return max(DELIMITERS, key=file.readline().count)


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV under the names of their columns."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _coco(folder: Path) -> Iterator[Found]:
    contents: dict[Path, dict[str, Any]] = {}
    places = ("*.json", "annotations/*.json", "*/_annotations.coco.json")  # the last: Roboflow's
    for path in sorted(it for place in places for it in folder.glob(place)):
        if path.stat().st_size < LARGEST and (content := _coco_content(path)):
            contents[path] = content
    parts: dict[str, Path] = {}
    for path in contents:
        parts.setdefault(_part(folder, path), path)
    if "train" not in parts and len(contents) == 1:
        parts = {"train": path}
    if "train" not in parts:
        return
    train, val = parts["train"], next((parts[it] for it in VAL if it in parts), None)
    content, files = contents[train], _names_of_images(contents[train])
    images = _root(folder, train, files)
    if images is None:
        return
    data: dict[str, Any] = {
        "format": "coco",
        "train": {"images": str(images), "json": str(train)},
    }
    val_files = _names_of_images(contents[val]) if val else []
    val_images = _root(folder, val, val_files) if val else None
    if val_images:
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
        len(files),
        len(val_files) if val_images else None,
        [images / name for name in files],
    )


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
        files = _files(folder / train, IMAGES)
        if not files:
            continue
        data: dict[str, Any] = {"format": "yolo", "root": str(folder), "classes": names}
        data |= {"train": train} if train != "images/train" else {}
        if val and (held := len(_files(folder / val, IMAGES))):
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
            files = _files(folder / "train", VIDEOS)
            val = next((it for it in VAL if (folder / f"annotations/{it}.csv").is_file()), None)
            data |= {"val_fraction": VAL_FRACTION} if val is None else {}
            data |= {"val": val} if val not in (None, "val") else {}
            held = len(_files(folder / val, VIDEOS)) if val else None
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


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """All files in a folder, and in those in it, whose names end so."""
    return [
        it for it in sorted(folder.rglob("*")) if it.suffix.lower() in suffixes and it.is_file()
    ]


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
