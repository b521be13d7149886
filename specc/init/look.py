"""The recognition of data in a folder, in the formats that a spec can name."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from specc.init.boxes import read_coco, read_voc, read_yolo
from specc.init.found import (
    MALFORMED,
    VAL_FRACTION,
    Found,
    beside,
    children,
    find_root,
    is_image,
    is_video,
    kept_for_tests,
    matching,
    media,
    read_lines,
    train_files,
)
from specc.tasks.common.lists import DELIMITERS
from specc.tasks.common.places import VIDEOS
from specc.tasks.common.splits import find_splits, read_split

FRAMES = re.compile(r"(.*?)(\d+)(\.\w+)")


def look(folder: Path, format: str | None = None) -> list[Found]:
    """Return all that `folder` can be taken for; only in one format, if that is named.

    Folders count as classes only if no file tells what is in them.
    """
    found: list[Found] = []
    for looker in LOOKERS:
        try:
            found += looker(folder)
        except (*MALFORMED, csv.Error):
            continue  # a file that has the name of one of the format only
    if not found or format in ("imagefolder", "videofolder"):
        found += _folders(folder)
    return [it for it in found if format in (None, it.format)]


def _folders(folder: Path) -> Iterator[Found]:
    """Recognise images or videos in a folder for each class, in splits or not."""
    folder = _inmost(folder)
    inside = {it.name: it for it in children(folder)}
    splits = find_splits(name for name, path in inside.items() if media(path))
    parts = {split: _inmost(inside[name], name) for split, name in splits.items()}
    below = children(parts["train"]) if "train" in parts else []
    if len(below) > 1 and all(read_split(it.name)[0] for it in below):
        yield from _folders(parts["train"])  # train_data/{train,val}/CLASS
        return
    held = tests = None
    notes: tuple[str, ...] = ()
    named: dict[str, Any] = {"val_fraction": VAL_FRACTION}
    classes = _classes(parts["train"]) if "train" in parts else {}
    if classes:
        named = {"train": str(parts["train"].relative_to(folder))}
        named["val_fraction"] = VAL_FRACTION
        if "val" in parts and (val_classes := _classes(parts["val"])):
            named = {key: str(parts[key].relative_to(folder)) for key in ("train", "val")}
            named = {key: name for key, name in named.items() if key != name}
            held = sum(map(len, val_classes.values()))
        if test := parts.get("test"):
            labelled = _classes(test)
            if labelled and labelled.keys() <= classes.keys():
                named["test"] = str(test.relative_to(folder))
                tests = sum(map(len, labelled.values()))
            else:
                kind = "videos" if any(map(is_video, media(test))) else "images"
                notes = kept_for_tests(str(test), len(media(test)), kind)
    elif len(splits) < 2:
        classes = _classes(folder)
    if len(classes) < 2:
        return
    files = [file for samples in classes.values() for file in samples]
    videos = sum(map(is_video, files)) * 2 > len(files)
    kind = "videofolder" if videos else "imagefolder"
    data = {"format": kind, "root": str(folder), **named}
    counts = {name: len(samples) for name, samples in classes.items()}
    task = "video-classification" if videos else "classification"
    yield Found(task, data, counts, len(files), held, files, notes, tests)


def _inmost(folder: Path, split: str = "") -> Path:
    """Return the first folder that holds more than another folder, as archives nest them."""
    while len(inside := children(folder)) == 1:
        if read_split(inside[0].name)[0] and inside[0].name != split:
            break
        below = children(inside[0])
        if not below or any(it.is_file() for it in inside[0].glob("[!.]*")):
            break
        folder = inside[0]
    return folder


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return the images or videos in each folder of `folder`."""
    found = {it.name: media(it) for it in children(folder)}
    return {name: files for name, files in found.items() if files}


def _lists(folder: Path) -> Iterator[Found]:
    """Recognise lines of a path and a label; or of a folder of frames, their number and a label."""
    for train in train_files(folder, ".txt"):
        val = beside(train)
        lines, val_lines = read_lines(train), read_lines(val) if val else []
        if not lines or not all(len(line.split()) > 1 for line in lines):
            continue
        # At a line's end: the label; the number of frames and it; an offset, and these two.
        tabs = [(1, "\t")] if all("\t" in line.strip() for line in lines) else []
        for columns, separator in (*tabs, (1, None), (2, None), (3, None)):
            names = _names(lines, columns, separator)
            if root := find_root(folder, train, names):
                break
        else:
            continue
        val_names = _names(val_lines, columns, separator)
        data, held = _parts("list", folder, train, root, val, val_names)
        data |= {"separator": separator} if separator else {}
        test = beside(train, "test")
        notes: tuple[str, ...] = ()
        test_lines = read_lines(test) if test else []
        tests = None
        if test and all(len(line.split()) > columns for line in test_lines):
            test_names = _names(test_lines, columns, separator)
            tests = _add_test(data, "list", folder, test, test_names)
        if test and tests is None:
            notes = kept_for_tests(str(test), len(test_lines), "lines")
        counts = Counter(line.strip().rsplit(separator, 1)[-1] for line in lines)
        files, task = [root / name for name in names], "video-classification"
        if columns == 1 and is_video(files[0]):
            data["format"] = "videos"
        elif columns == 1:
            task = "classification"
        else:
            frames = sorted(it.name for it in files[0].glob("[!.]*"))
            if not frames or not (match := FRAMES.fullmatch(frames[0])):
                continue
            data["format"] = "rawframes"
            data["frame_name"] = f"{match[1]}{{:0{len(match[2])}}}{match[3]}"
            data |= {"first_frame": int(match[2])} if int(match[2]) != 1 else {}
            data |= {"with_offset": True} if columns == 3 else {}
            files = [it / frames[0] for it in files]
        yield Found(task, data, counts, len(lines), held, files, notes, tests)


def _names(lines: list[str], columns: int, separator: str | None = None) -> list[str]:
    """Return what stands before so many columns at the end of each line.

    Args:
        separator: what is between the columns; None for spaces or tabs.
    """
    return [line.strip().rsplit(separator, columns)[0].strip() for line in lines]


def _parts(
    kind: str, folder: Path, train: Path, root: Path, val: Path | None, val_names: list[str]
) -> tuple[dict[str, Any], int | None]:
    """Return the keys of [data] for a file of training samples and one of validation samples.

    And how many those are; None where there is no such file, or not what it names.
    """
    data = {"format": kind, "train": {"root": str(root), kind: str(train)}}
    if val and (val_root := find_root(folder, val, val_names)):
        return data | {"val": {"root": str(val_root), kind: str(val)}}, len(val_names)
    return data | {"val_fraction": VAL_FRACTION}, None


def _add_test(
    data: dict[str, Any], kind: str, folder: Path, test: Path, names: list[str]
) -> int | None:
    """Add a file of test samples to the keys of [data]; return how many, None if none is there."""
    root = find_root(folder, test, names) if names else None
    if not root:
        return None
    data["test"] = {"root": str(root), kind: str(test)}
    return len(names)


def _tables(folder: Path) -> Iterator[Found]:
    """Yield a CSV with a column of paths and one of labels."""
    for train in train_files(folder, ".csv"):
        delimiter = _delimiter(train)
        rows = _rows(train, delimiter)
        columns = list(rows[0]) if rows else []
        image = next((it for it in columns if is_image(rows[0][it])), None)
        label = next((it for it in ("label", "class", "target") if it in columns), None)
        if not image or not label:
            continue
        root = find_root(folder, train, [row[image] for row in rows])
        if not root:
            continue
        val = beside(train)
        val_names = [row[image] for row in _rows(val, delimiter)] if val else []
        data, held = _parts("csv", folder, train, root, val, val_names)
        data |= {"delimiter": delimiter} if delimiter != "," else {}
        data |= {"image_column": image} if image != "image" else {}
        data |= {"label_column": label} if label != "label" else {}
        counts = Counter(str(row[label]) for row in rows)
        files = [root / row[image] for row in rows]
        test = beside(train, "test")
        notes: tuple[str, ...] = ()
        test_rows = _rows(test, delimiter) if test else []
        tests = None
        if test and all(row.get(image) and row.get(label) for row in test_rows):
            tests = _add_test(data, "csv", folder, test, [row[image] for row in test_rows])
        if test and tests is None:
            notes = kept_for_tests(str(test), len(test_rows), "rows")
        yield Found("classification", data, counts, len(rows), held, files, notes, tests)


def _delimiter(path: Path) -> str:
    """Return what stands between the fields of a CSV's header most often."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return max(DELIMITERS, key=file.readline().count)


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a CSV under the names of their columns."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _video_sets(folder: Path) -> Iterator[Found]:
    """Recognise Kinetics' and UCF101's own files."""
    table = folder / "annotations/train.csv"
    if table.is_file() and (folder / "train").is_dir():
        rows = _rows(table)
        if rows and {"label", "youtube_id"} <= rows[0].keys():
            data: dict[str, Any] = {"format": "kinetics", "root": str(folder)}
            files = media(folder / "train", VIDEOS)
            # A class all of whose videos are missing is one nevertheless.
            counts = Counter(dict.fromkeys((row["label"] for row in rows), 0))
            stems = {path.stem for path in files}
            counts.update(row["label"] for row in rows if _kinetics_stem(row) in stems)
            splits = find_splits(it.stem for it in matching(folder / "annotations", "*.csv"))
            val, test = splits.get("val"), splits.get("test")
            data |= {"val_fraction": VAL_FRACTION} if val is None else {}
            data |= {"val": val} if val not in (None, "val") else {}
            held = len(media(folder / val, VIDEOS)) if val else None
            tests = len(media(folder / test, VIDEOS)) if test else 0
            test_rows = _rows(folder / "annotations" / f"{test}.csv") if test else []
            notes: tuple[str, ...] = ()
            if test and not (tests and test_rows and all(row.get("label") for row in test_rows)):
                notes = kept_for_tests(str(folder / test), tests, "videos")
                tests = 0
            data |= {"test": test} if tests else {}
            yield Found("video-classification", data, counts, len(files), held, files, notes, tests)
    lists = folder / "ucfTrainTestlist"
    if (lists / "trainlist01.txt").is_file() and (folder / "UCF-101").is_dir():
        names = [line.split()[0] for line in read_lines(lists / "trainlist01.txt")]
        counts = Counter(name.partition("/")[0] for name in names)
        held = len(read_lines(lists / "testlist01.txt"))
        data = {"format": "ucf101", "root": str(folder)}
        files = [folder / "UCF-101" / name for name in names]
        yield Found("video-classification", data, counts, len(files), held, files)


def _kinetics_stem(row: dict[str, str]) -> str:
    """Return the name of the file of a video in Kinetics' CSV, without its suffix."""
    try:
        start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
    except (*MALFORMED, OverflowError):
        return ""  # a build names the row
    return f"{row['youtube_id']}_{start:06}_{end:06}"


LOOKERS: tuple[Callable[[Path], Iterator[Found]], ...] = (
    read_yolo,
    read_coco,
    read_voc,
    _video_sets,
    _lists,
    _tables,
)
