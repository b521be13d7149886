"""Data that were found, and what finding those of every format needs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specc.tasks.common.places import IMAGES, VIDEOS, visible_files, visible_folders
from specc.tasks.common.splits import read_split

VAL_FRACTION = 0.2  # where there is no validation split
# Raised by what reads a file that has the name of one of the format only.
MALFORMED = (LookupError, OSError, TypeError, ValueError, AttributeError)
LINES = 200_000  # of a list file that are read


@dataclass(frozen=True)
class Found:
    """Data in one format."""

    task: str
    data: dict[str, Any]  # the keys of [data]
    counts: dict[str, int]  # training samples of each class; of detection, objects
    train: int  # samples
    val: int | None  # None where they have to be taken from the training samples
    files: list[Path] = field(default_factory=list)  # to look at
    notes: tuple[str, ...] = ()  # what else the user should know, a sentence each
    test: int | None = None  # labelled samples for a test at the end, where there are some

    @property
    def format(self) -> str:
        return str(self.data["format"])


def children(folder: Path) -> list[Path]:
    return visible_folders(folder) if folder.is_dir() else []


def matching(folder: Path, *patterns: str) -> list[Path]:
    """Return the files that match, but for hidden ones, of which archives are full."""
    files = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return sorted(it for it in files if not hidden(it.relative_to(folder)))


def hidden(path: Path) -> bool:
    return any(name.startswith(".") for name in path.parts)


def media(folder: Path, suffixes: Sequence[str] = (*IMAGES, *VIDEOS)) -> list[Path]:
    """Return all images and videos in a folder, and in those in it."""
    return [path for path in visible_files(folder, suffixes) if path.is_file()]


def is_image(text: str | None) -> bool:
    return Path(text or "").suffix.lower() in IMAGES


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def read_lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.splitlines()[:LINES] if line.strip()]


def split_of(folder: Path, path: Path) -> str:
    """Return the split that a path in `folder` names: "train", "val", "test", or "" for none."""
    names = [read_split(name)[0] for name in path.relative_to(folder).parts]
    return next(filter(None, reversed(names)), "")


def train_files(folder: Path, suffix: str) -> list[Path]:
    return [it for it in matching(folder, f"*{suffix}") if read_split(it.stem)[0] == "train"]


def beside(train: Path, split: str = "val") -> Path | None:
    """Return the file of another split that belongs to a training file."""
    said, numbers = read_split(train.stem)[1], re.findall(r"\d+", train.stem)
    files = matching(train.parent, f"*{train.suffix}")
    files.sort(key=lambda it: re.findall(r"\d+", it.stem) != numbers)
    return next((it for it in files if read_split(it.stem) == (split, said)), None)


def find_root(folder: Path, listed: Path, names: list[str]) -> Path | None:
    """Return the folder, this or one in it, from which on the names in a file are paths.

    The training and the validation samples may have the same names: a folder that is called as
    the file or its split comes first, one that is called as another split comes last.
    """
    split = split_of(folder, listed)
    inside = [folder, *children(folder), *children(folder / "images"), listed.parent]

    def order(it: Path) -> tuple[bool, ...]:
        other = split_of(folder, it)
        return split != other, it.name != listed.stem, other != ""

    inside.sort(key=order)
    return next((it for it in inside if all((it / n).exists() for n in names[:20])), None)


def kept_for_tests(name: str, count: int, noun: str) -> tuple[str, ...]:
    """Say that a test split, which has no labels to test with, is not validated on either."""
    return (f"{name} has {count} {noun} for a test at the end: it is not validated on",)
