"""What list, CSV and JSON files say of images and labels, where they are here to be read."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc.diagnostics import show
from specc.problems import Problems
from specc.source import Key
from specc.spec.classification import Classification
from specc.spec.data import CsvData, CsvFile, JsonFile, ListData, ListFile, OpenMMLabData

Labelled = ListData | CsvData | OpenMMLabData
File = ListFile | CsvFile | JsonFile
NAMED = 10  # classes, or lines, that a message names
FILE_KEYS: dict[type[File], str] = {ListFile: "list", CsvFile: "csv", JsonFile: "json"}


@dataclass(frozen=True)
class Row:
    """What a file says of one image."""

    place: str  # "train.txt:3"
    image: str
    labels: tuple[str, ...]


class Unreadable(Exception):
    """A place in a file that is not as its format wants it, and what it has to be."""


def split_files(split: File) -> tuple[str, str]:
    """The images' folder, and the file that tells of them."""
    return split.root, str(getattr(split, FILE_KEYS[type(split)]))


def _files(data: Labelled) -> list[str]:
    """The files that tell of images."""
    return [split_files(split)[1] for split in (data.train, data.val) if split]


def given_classes(data: Labelled) -> list[str] | None:
    """The names that the spec gives the classes, if it does and they can be read here."""
    if isinstance(data, CsvData) and data.label_columns:
        return data.label_columns
    if isinstance(data.classes, str):
        try:
            return Path(data.classes).read_text(encoding="utf-8-sig").strip().splitlines()
        except (OSError, UnicodeDecodeError):
            return None
    return data.classes


def count_labelled(spec: Classification, data: Labelled, problems: Problems) -> tuple[int, int]:
    """The number of classes that spec and files agree on, and of training images, if known."""
    said = spec.model.num_classes
    classes = given_classes(data)
    _check_given(data, classes, problems)
    train = _read(data, data.train, ("data", "train"), problems)
    val = _read(data, data.val, ("data", "val"), problems) if data.val else None
    if classes is None and train is not None and isinstance(data, OpenMMLabData):
        classes = _metainfo(data, problems)
    count = len(classes) if classes else 0
    if train:
        count = _check_train(data, train, classes, said, problems)
        _check_images(data, train, problems)
    if count and said not in (None, count):
        where = "data.classes names" if given_classes(data) else "the training data have"
        problems.add(("model", "num_classes"), f"{where} {count} classes, not {said}; leave it out")
    elif said is None and not count and train is None:
        _, file = split_files(data.train)
        message = f"needed, as there is no file {file} here to count the classes in"
        problems.add(("model", "num_classes"), message, ("data", "train"), ("data", "format"))
    if train and val:
        names = classes or _names(train, said)
        key = ("data", "val", FILE_KEYS[type(data.val)]) if data.val else ()
        _check_labels(data, val, names, key, "validation", problems)
    return count or said or 0, _images_left(data, train or ())


def left(counts: Iterable[int], fraction: float | None) -> int:
    """How many images are trained on where a fraction of each class is validated on."""
    return sum(n - min(round((fraction or 0) * n), n - 1) for n in counts if n)


def _images_left(data: Labelled, rows: Sequence[Row]) -> int:
    if data.multi_label:
        return len(rows) - round((data.val_fraction or 0) * len(rows))
    return left(Counter(row.labels for row in rows).values(), data.val_fraction)


# ---- what files say ----


def _read(data: Labelled, split: File, key: Key, problems: Problems) -> list[Row] | None:
    """The rows of a file; None where it is not here, or not as it should be."""
    _, name = split_files(split)
    key = (*key, FILE_KEYS[type(split)])
    if not os.path.isfile(name):
        if here := [it for it in _files(data) if os.path.isfile(it)]:
            problems.add(key, f"there is no file {name}, but there is {here[0]}")
            problems.left_out([key])
        return None
    readers: dict[type[File], Any] = {
        ListFile: _read_list,
        CsvFile: _read_csv,
        JsonFile: _read_json,
    }
    try:
        rows = list(readers[type(split)](data, Path(name)))
    except Unreadable as error:
        problems.add(key, str(error))
    except UnicodeDecodeError as error:
        problems.add(key, f"{name}: not UTF-8 text ({error.reason}); save it as that")
    except OSError as error:
        problems.add(key, f"{name}: {error.strerror}")
    else:
        if rows:
            return rows
        problems.add(key, f"{name} names no image")
    problems.left_out([key])
    return None


def _read_list(data: Any, path: Path) -> Iterator[Row]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            name, _, label = line.strip().rpartition(data.separator)
            place = f"{path}:{number}"
            if name:
                labels = label.split(",") if data.multi_label else [label]
                yield Row(place, name, tuple(labels))
            elif line.strip():
                wanted = f"a path, {show(data.separator)} and a label"
                raise Unreadable(f"{place}: must be {wanted}, not {show(line.strip())}")


def _read_csv(data: Any, path: Path) -> Iterator[Row]:
    column = data.label_column or "label"
    columns = data.label_columns or [column]
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for missing in {data.image_column, *columns} - set(reader.fieldnames or ()):
                there = ", ".join(reader.fieldnames or ())
                raise Unreadable(f'{path}: no column "{missing}"; there are {there or "none"}')
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    raise Unreadable(f"{place}: not as many fields as the header has")
                labels = [row[name] for name in columns]
                if data.label_columns:
                    if odd := [label for label in labels if label not in ("0", "1")]:
                        raise Unreadable(f"{place}: must have 0 or 1, not {show(odd[0])}")
                    labels = [name for name in columns if row[name] == "1"]
                elif data.multi_label:
                    separator = data.label_separator or ","
                    labels = [label for label in labels[0].split(separator) if label]
                yield Row(place, row[data.image_column], tuple(labels))
        except csv.Error as error:
            raise Unreadable(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _load_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(f"{path}: not valid JSON: {error}") from error
    entries = content.get("data_list") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise Unreadable(f'{path}: must have a list "data_list"')
    return dict(content)


def _read_json(data: Any, path: Path) -> Iterator[Row]:
    for number, entry in enumerate(_load_json(path)["data_list"]):
        place = f"{path}: data_list[{number}]"
        known = entry if isinstance(entry, dict) else {}
        image, label = known.get("img_path"), known.get("gt_label")
        labels = label if isinstance(label, list) and data.multi_label else [label]
        if not isinstance(image, str) or not all(type(it) is int for it in labels):
            wanted = "a list of whole numbers" if data.multi_label else "a whole number"
            raise Unreadable(f"{place}: must have the text img_path, and {wanted} as gt_label")
        yield Row(place, image, tuple(map(str, labels)))


def _metainfo(data: OpenMMLabData, problems: Problems) -> list[str] | None:
    """The classes' names in the training file, which have to be those of the validation file."""
    found = []
    for split in filter(None, (data.train, data.val)):
        try:
            metainfo = _load_json(Path(split.json)).get("metainfo")
        except (Unreadable, OSError, UnicodeDecodeError):
            return None  # which is said elsewhere
        found.append(metainfo.get("classes") if isinstance(metainfo, dict) else None)
    if len(found) == 2 and found[0] != found[1]:
        message = "metainfo.classes must be the same for training and validation"
        problems.add(("data", "val", "json"), message)
    names = found[0]
    if names is not None and not (isinstance(names, list) and all(type(it) is str for it in names)):
        message = f"metainfo.classes must be a list of names, not {show(names)}"
        problems.add(("data", "train", "json"), message)
        return None
    return names


# ---- what disagrees ----


def _check_given(data: Labelled, classes: list[str] | None, problems: Problems) -> None:
    key = (
        "data",
        "label_columns" if isinstance(data, CsvData) and data.label_columns else "classes",
    )
    if isinstance(data.classes, str) and classes is None:
        if here := [it for it in _files(data) if os.path.isfile(it)]:
            message = f"no text file {data.classes} can be read here, but there is {here[0]}"
            problems.add(key, message)
    for name, count in Counter(classes or ()).items():
        if count > 1:
            problems.add(key, f"{show(name)} is named {count} times")
        if not name:
            problems.add(key, "a name is empty")
    if classes is not None and len(classes) < 2:
        problems.add(key, f"{data.classes} must name two classes or more, one a line")


def numbered(classes: Sequence[str]) -> bool:
    """Whether labels may be numbers of classes with these names: not if names are numbers."""
    return not any(name.isdecimal() for name in classes)


def _names(rows: Sequence[Row], said: int | None) -> list[str]:
    """The classes' names where nothing gives them: labels, or numbers from 0."""
    labels = sorted({label for row in rows for label in row.labels})
    if all(label.isdecimal() for label in labels):
        highest = max((int(label) for label in labels), default=-1)
        return [str(number) for number in range(said or highest + 1)]
    return labels


def _check_train(
    data: Labelled,
    rows: Sequence[Row],
    classes: list[str] | None,
    said: int | None,
    problems: Problems,
) -> int:
    """Check the training labels; return the number of classes."""
    key = ("data", "train", FILE_KEYS[type(data.train)])
    names = classes or _names(rows, said)
    if not _check_labels(data, rows, names, key, "training", problems):
        return len(classes or ())
    counts = Counter(label for row in rows for label in row.labels)
    if len(names) < 2:
        problems.add(key, "all labels are the same; there must be two classes or more")
    elif classes is None and said is None:
        if absent := [name for name in names if not counts[name]]:
            listed = ", ".join(absent[:NAMED]) + (", …" if len(absent) > NAMED else "")
            message = f"no image has label {listed}; labels count from 0"
            problems.add(key, f"{message}. If that is right, write model.num_classes")
    return len(names)


def _check_labels(
    data: Labelled,
    rows: Sequence[Row],
    names: Sequence[str],
    key: Key,
    part: str,
    problems: Problems,
) -> bool:
    """Whether all labels are names or numbers of classes; names the first that is not."""
    allowed = set(names)
    if isinstance(data, OpenMMLabData) or (given_classes(data) and numbered(names)):
        numbers = {str(number) for number in range(len(names))}
        allowed = numbers if isinstance(data, OpenMMLabData) else allowed | numbers
    for row in rows:
        for label in row.labels:
            if label not in allowed:
                others = sum(any(it not in allowed for it in row.labels) for row in rows) - 1
                more = f"; {others} more of such labels" if others else ""
                numbers_only = all(name.isdecimal() for name in names)
                last = f"0 to {len(names) - 1}" if numbers_only else ", ".join(names[:NAMED])
                dots = ", …" if not numbers_only and len(names) > NAMED else ""
                message = f"no class {show(label)}; there are {last}{dots}{more}"
                problems.add(key, f"{row.place}: {message}", ("data", "classes"))
                return False
    return True


def _check_images(data: Labelled, rows: Sequence[Row], problems: Problems) -> None:
    """Say which images are missing, if others are here."""
    root = Path(data.train.root)
    missing = [row for row in rows if not os.path.exists(root / row.image)]
    if 0 < len(missing) < len(rows):
        key = ("data", "train", FILE_KEYS[type(data.train)])
        first = missing[0]
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        problems.add(key, f"{first.place}: no image {root / first.image}{more}")
