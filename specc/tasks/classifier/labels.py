"""The labels of images or videos, where their files can be read."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from specc.source.diagnostics import show
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import CsvData, Data, ListData, OpenMMLabData
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.lists import (
    FILE_KEYS,
    File,
    Labelled,
    Row,
    Unreadable,
    list_files,
    load_json,
    noun,
    rows,
    split_files,
)
from specc.tasks.common.remember import remembered
from specc.tasks.video.formats.language import VideoData

NAMED = 10  # classes, or lines, that a message names
ELSEWHERE = "correct the path or, if the data are elsewhere, write model.num_classes"


def given_classes(data: Labelled) -> list[str] | None:
    """Return the names that the spec gives the classes, if it does and they can be read here."""
    if isinstance(data, CsvData) and data.label_columns:
        return data.label_columns
    names = data.classes
    if isinstance(names, str):
        try:
            names = Path(names).read_text(encoding="utf-8-sig").strip().splitlines()
        except (OSError, UnicodeDecodeError):
            return None
    return [name.strip() for name in names] if names else names


def count_labelled(spec: Classifier, data: Labelled, problems: Problems) -> tuple[int, int]:
    """Count the classes that spec and files agree on, and the training samples, if known."""
    said = spec.model.num_classes
    classes = given_classes(data)
    _check_given(data, classes, problems)
    train = _read(data, data.train, ("data", "train"), problems)
    held: dict[str, tuple[File, list[Row]]] = {}
    for part, split in (("val", data.val), ("test", data.test)):
        if split and (found := _read(data, split, ("data", part), problems)):
            held[part] = split, found
    if classes is None and train is not None and isinstance(data, OpenMMLabData):
        classes = _metainfo(data, problems)
    count = len(classes) if classes else 0
    if train:
        count = _check_train(data, train, classes, said, problems)
        _check_files(data, "train", train, problems)
    if count and said not in (None, count):
        where = "data.classes names" if given_classes(data) else "the training data have"
        problems.add(("model", "num_classes"), f"{where} {count} classes, not {said}; leave it out")
    elif said is None and not count and train is None:
        _, file = split_files(data.train)
        message = f"there is no file {file} here to count the classes in; {ELSEWHERE}"
        list_key = ("data", "train", FILE_KEYS[type(data.train)])
        problems.add(list_key, message, ("model", "num_classes"), ("data", "format"))
    for part, (split, found) in held.items():
        _check_files(data, part, found, problems)
        if train:
            key = ("data", part, FILE_KEYS[type(split)])
            _check_labels(data, found, classes or _names(train, said), key, problems)
    return count or said or 0, _samples_left(data, train or ())


def left(counts: Iterable[int], data: Data | VideoData) -> int:
    """Return how many samples are trained on where a fraction of each class is validated on.

    0 if groups decide that, which is not known then.
    """
    if getattr(data, "val_groups", None):
        return 0
    fraction = data.val_fraction or 0
    return sum(n - min(round(fraction * n), n - 1) for n in counts if n)


def _samples_left(data: Labelled, found: Sequence[Row]) -> int:
    if data.multi_label and not data.val_groups:
        return len(found) - round((data.val_fraction or 0) * len(found))
    return left(Counter(row.labels for row in found).values(), data)


def _read(data: Labelled, split: File, key: Key, problems: Problems) -> list[Row] | None:
    """Return the rows of a file; None where it is not here, or not as it should be."""
    _, name = split_files(split)
    key = (*key, FILE_KEYS[type(split)])
    if not os.path.isfile(name):
        if here := [it for it in list_files(data) if os.path.isfile(it)]:
            problems.add(key, f"there is no file {name}, but there is {here[0]}")
            problems.left_out([key])
        return None
    try:
        found = _rows(data, Path(name))
    except Unreadable as error:
        problems.add(key, str(error))
    except UnicodeDecodeError as error:
        problems.add(key, f"{name}: not UTF-8 text ({error.reason}); save it as that")
    except OSError as error:
        problems.add(key, f"{name}: {error.strerror}")
    else:
        if found:
            return found
        problems.add(key, f"{name} names no {noun(data)}")
    problems.left_out([key])
    return None


@remembered
def _rows(data: Labelled, path: Path) -> list[Row]:
    return list(rows(data, path))


def _metainfo(data: OpenMMLabData, problems: Problems) -> list[str] | None:
    """Return the classes' names in the training file; report other files that have others."""
    found: dict[str, list[str] | None] = {}
    for part, split in (("train", data.train), ("val", data.val), ("test", data.test)):
        if not split:
            continue
        try:
            metainfo = load_json(Path(split.json)).get("metainfo")
        except (Unreadable, OSError, UnicodeDecodeError):
            return None  # which is said elsewhere
        names = metainfo.get("classes") if isinstance(metainfo, dict) else None
        if isinstance(names, list) and all(type(it) is str for it in names):
            found[part] = [name.strip() for name in names]
        elif names is None:
            found[part] = None
        else:
            message = f"metainfo.classes must be a list of names, not {show(names)}"
            problems.add(("data", part, "json"), message)
            return None
    names = found["train"]
    for part, use in (("val", "validation"), ("test", "the test")):
        if found.get(part, names) != names:
            message = f"metainfo.classes must be the same for training and {use}"
            problems.add(("data", part, "json"), message)
    for name, count in Counter(names or ()).items():
        if count > 1:
            message = f"metainfo.classes has {show(name)} {count} times"
            problems.add(("data", "train", "json"), message)
        if not name:
            problems.add(("data", "train", "json"), "metainfo.classes has an empty name")
    return names


def _check_given(data: Labelled, classes: list[str] | None, problems: Problems) -> None:
    key = (
        "data",
        "label_columns" if isinstance(data, CsvData) and data.label_columns else "classes",
    )
    if isinstance(data.classes, str) and classes is None:
        if here := [it for it in list_files(data) if os.path.isfile(it)]:
            message = f"no text file {data.classes} can be read here, but there is {here[0]}"
            problems.add(key, message)
    for name, count in Counter(classes or ()).items():
        if count > 1:
            problems.add(key, f"{show(name)} is listed {count} times")
        if not name:
            problems.add(key, "a name is empty")
    if classes is not None and len(classes) < 2:
        problems.add(key, f"{data.classes} must name two classes or more, one a line")


def numbered(classes: Sequence[str]) -> bool:
    """Return whether labels may be classes' numbers: not where classes' names are numbers."""
    return not any(name.isdecimal() for name in classes)


def _names(found: Sequence[Row], said: int | None) -> list[str]:
    """Return the classes' names where nothing gives them: labels, or numbers from 0."""
    labels = sorted({label for row in found for label in row.labels})
    if all(re.fullmatch("0|-?[1-9][0-9]*", label) for label in labels):  # "007" is a name
        highest = max((int(label) for label in labels), default=-1)
        return [str(number) for number in range(said or highest + 1)]
    return labels


def _check_train(
    data: Labelled,
    found: Sequence[Row],
    classes: list[str] | None,
    said: int | None,
    problems: Problems,
) -> int:
    """Check the training labels; return the number of classes."""
    key = ("data", "train", FILE_KEYS[type(data.train)])
    names = classes or _names(found, said)
    if not _check_labels(data, found, names, key, problems):
        return len(classes or ())
    counts = Counter(label for row in found for label in row.labels)
    if len(names) < 2:
        problems.add(key, "all labels are the same; there must be two classes or more")
    elif classes is None and said is None:
        if absent := [name for name in names if not counts[name]]:
            listed = ", ".join(absent[:NAMED]) + (", …" if len(absent) > NAMED else "")
            message = f"no {noun(data)} has label {listed}; labels count from 0"
            if absent == ["0"]:
                problems.add(key, f"{message}. {_advice_on_counting(data, names[1:])}")
            else:
                right = f"If that is right, write model.num_classes = {len(names)}"
                problems.add(key, f"{message}. {right}")
    return len(names)


def _check_labels(
    data: Labelled,
    found: Sequence[Row],
    names: Sequence[str],
    key: Key,
    problems: Problems,
) -> bool:
    """Return whether all labels are names or numbers of classes; names the first that is not."""
    allowed = set(names)
    if isinstance(data, OpenMMLabData) or (given_classes(data) and numbered(names)):
        numbers = {str(number) for number in range(len(names))}
        allowed = numbers if isinstance(data, OpenMMLabData) else allowed | numbers
    for row in found:
        for label in row.labels:
            if label not in allowed:
                others = sum(any(it not in allowed for it in row.labels) for row in found) - 1
                more = f"; {others} more of such labels" if others else ""
                numbers_only = list(names) == [str(number) for number in range(len(names))]
                last = f"0 to {len(names) - 1}" if numbers_only else ", ".join(names[:NAMED])
                dots = ", …" if not numbers_only and len(names) > NAMED else ""
                message = f"no class {show(label)}; there are {last}{dots}{more}"
                used = {label for row in found for label in row.labels}
                if label == str(len(names)) and "0" not in used:
                    counted = [str(number + 1) for number in range(len(names))]
                    advice = _advice_on_counting(data, counted if numbers_only else ())
                    message += f". Labels count from 0. {advice}"
                problems.add(key, f"{row.place}: {message}", ("data", "classes"))
                return False
    return True


def _check_files(data: Labelled, part: str, found: Sequence[Row], problems: Problems) -> None:
    """Report which samples are missing, and where they are instead if that can be told."""
    split: File = getattr(data, part)
    root, name = split_files(split)
    missing = [row.path for row in found if not os.path.exists(Path(root, row.path))]
    if not missing:
        return
    key = ("data", part, FILE_KEYS[type(split)])
    first = next(row for row in found if row.path == missing[0])
    more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
    message = f"{first.place}: no {noun(data)} {Path(root, first.path)}{more}"
    if len(missing) == len(found):
        things = f"{noun(data)}s" if len(found) > 1 else noun(data)
        example = Path(root, first.path)
        message = f"{name}: all of its {len(found)} {things} are missing, e.g. {example}"
    problems.add(key, message + _advice(data, split, first.path))


def _advice(data: Labelled, split: File, path: str) -> str:
    """Return what to write so that a missing sample is found; "" if it is nowhere near."""
    from specc.tasks.common.places import IMAGES  # which needs this module first

    root, file = split_files(split)
    key = "image_suffix" if isinstance(data, ListData | CsvData | OpenMMLabData) else ""
    given = (key and getattr(data, key)) or ""
    for folder in dict.fromkeys((Path(root), *Path(root).parents, Path(file).parent)):
        for name in dict.fromkeys((path, path.replace("\\", "/"))):
            for suffix in dict.fromkeys((given, "", *IMAGES)) if key else ("",):
                there = folder / (name.removesuffix(given) + suffix)
                if not os.path.exists(there):
                    continue
                steps = [f'root = "{folder}"'] if folder != Path(root) else []
                steps += ["/ for each backslash in the file"] if name != path else []
                if suffix != given:
                    steps += [f'{key} = "{suffix}"' if suffix else f"no {key}"]
                return f"; there is {there}: write {' and '.join(steps)}"
    return ""


def _advice_on_counting(data: Labelled, names: Sequence[str]) -> str:
    """Say what to do about numbers that count from 1.

    Args:
        names: these numbers, where they can be the classes' names.
    """
    if isinstance(data, OpenMMLabData):
        return "If they count from 1, subtract 1 from each gt_label"
    if not names:
        return "If they count from 1, subtract 1 from each label"
    if len(names) <= NAMED:
        return f"If they count from 1, write data.classes = {show(list(names))}"
    return f"If they count from 1, name a file in data.classes with 1 to {len(names)}, one a line"
