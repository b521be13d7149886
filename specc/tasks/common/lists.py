"""The rows of list, CSV and JSON files of images or videos."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specc.language.section import Section
from specc.source.diagnostics import show
from specc.tasks.classification.formats.language import (
    CsvData,
    CsvFile,
    JsonFile,
    ListData,
    ListFile,
    OpenMMLabData,
)
from specc.tasks.video.formats.language import RawFrames, SomeVideos, Videos

EMPTY = "the label is empty; write one, or remove the line"

Labelled = ListData | CsvData | OpenMMLabData | Videos | RawFrames
File = ListFile | CsvFile | JsonFile
FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True}  # of labels, in columns of their own
DELIMITERS = (",", ";", "\t", "|")  # that CSV files are often written with
FILE_KEYS: dict[type[File], str] = {ListFile: "list", CsvFile: "csv", JsonFile: "json"}


@dataclass(frozen=True)
class Row:
    """A file's entry for one image or video."""

    place: str  # "train.txt:3"
    path: str
    labels: tuple[str, ...]


class Unreadable(Exception):
    """A place in a file that is not as its format wants it, and what it has to be."""


def split_files(split: File) -> tuple[str, str]:
    """Return the samples' folder, and the file that tells of them."""
    return split.root, str(getattr(split, FILE_KEYS[type(split)]))


def list_files(data: Labelled) -> list[str]:
    """Return the files that tell of samples."""
    return [split_files(split)[1] for split in (data.train, data.val, data.test) if split]


def noun(data: Section) -> str:
    """Return the noun for the samples."""
    return "video" if isinstance(data, SomeVideos) else "image"


def rows(data: Labelled, path: Path) -> Iterator[Row]:
    """Read the rows of a file of this format.

    Raises:
        Unreadable, OSError, UnicodeDecodeError: where it cannot be read.
    """
    readers: dict[type[Labelled], Callable[[Any, Path], Iterator[Row]]] = {
        ListData: _read_list,
        Videos: _read_list,
        RawFrames: _read_rawframes,
        CsvData: _read_csv,
        OpenMMLabData: _read_json,
    }
    for row in readers[type(data)](data, path):
        suffix = data.image_suffix if isinstance(data, ListData | CsvData | OpenMMLabData) else None
        yield replace(row, path=row.path + suffix) if suffix else row


def _read_list(data: Any, path: Path) -> Iterator[Row]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            name, _, label = line.strip().rpartition(data.separator)
            ending = line.rstrip("\n")
            if data.multi_label and not name and ending.endswith(data.separator):  # no labels
                name, label = ending.removesuffix(data.separator).strip(), ""
            place = f"{path}:{number}"
            if name:
                labels = label.split(",") if data.multi_label else [label]
                yield Row(place, name.strip(), _stripped(labels, place, data.multi_label))
            elif line.strip():
                wanted = f"a path, {show(data.separator)} and a label"
                raise Unreadable(f"{place}: must be {wanted}, not {show(line.strip())}")


def _read_csv(data: Any, path: Path) -> Iterator[Row]:
    column = data.label_column or "label"
    columns = data.label_columns or [column]
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=data.delimiter, skipinitialspace=True)
        try:
            needed = {data.image_column, *columns, *filter(None, [data.val_groups])}
            for missing in needed - set(reader.fieldnames or ()):
                there = ", ".join(reader.fieldnames or ()) or "none"
                hint = _delimiter_hint(path, needed)
                raise Unreadable(f'{path}: no column "{missing}"; there are {there}{hint}')
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    raise Unreadable(f"{place}: not as many fields as the header has")
                if data.val_groups and not row[data.val_groups].strip():
                    raise Unreadable(f"{place}: {data.val_groups} is empty; write one")
                labels = [row[name].strip() for name in columns]
                if data.label_columns:
                    if odd := [label for label in labels if label not in FLAGS]:
                        raise Unreadable(f"{place}: must have 0 or 1, not {show(odd[0])}")
                    labels = [name for name in columns if FLAGS[row[name].strip()]]
                elif data.multi_label:
                    separator = data.label_separator or ","
                    labels = labels[0].split(separator)
                image = row[data.image_column].strip()
                yield Row(place, image, _stripped(labels, place, data.multi_label))
        except csv.Error as error:
            raise Unreadable(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _stripped(labels: Sequence[str], place: str, multi_label: bool) -> tuple[str, ...]:
    """Return labels without the spaces around them; only one of several may be empty."""
    found = tuple(label.strip() for label in labels if label.strip())
    if not found and not multi_label:
        raise Unreadable(f"{place}: {EMPTY}")
    return found


def _delimiter_hint(path: Path, columns: set[str]) -> str:
    """Advise the delimiter with which a file's header has all the columns."""
    with open(path, encoding="utf-8-sig") as file:
        header = file.readline()
    found = (it for it in DELIMITERS if columns <= {*next(csv.reader([header], delimiter=it), [])})
    return next((f"; write data.delimiter = {show(it)}" for it in found), "")


def load_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(f"{path}: not valid JSON: {error}") from error
    entries = content.get("data_list") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise Unreadable(f'{path}: must have a list "data_list"')
    return dict(content)


def _read_json(data: Any, path: Path) -> Iterator[Row]:
    for number, entry in enumerate(load_json(path)["data_list"]):
        place = f"{path}: data_list[{number}]"
        known = entry if isinstance(entry, dict) else {}
        image, label = known.get("img_path"), known.get("gt_label")
        labels = label if isinstance(label, list) and data.multi_label else [label]
        if not isinstance(image, str) or not all(type(it) is int for it in labels):
            wanted = "a list of whole numbers" if data.multi_label else "a whole number"
            raise Unreadable(f"{place}: must have the text img_path, and {wanted} as gt_label")
        yield Row(place, image, tuple(map(str, labels)))


def _read_rawframes(data: RawFrames, path: Path) -> Iterator[Row]:
    names = ["FOLDER", *["OFFSET"] * data.with_offset, "FRAMES", "LABEL"]
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            folder, *numbers, label = ["", "", *line.rsplit(maxsplit=len(names) - 1)][-len(names) :]
            place = f"{path}:{number}"
            if folder and all(it.isdecimal() for it in numbers) and numbers[-1].strip("0"):
                yield Row(place, folder, (label,))
            elif line.strip():
                wanted = f"{' '.join(names)}, with a FRAMES above 0"
                raise Unreadable(f"{place}: must be {wanted}, not {show(line.strip())}")
