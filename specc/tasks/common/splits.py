"""Names of the splits of data, in any case and common spelling."""

import re
from collections.abc import Iterable

SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
# Further parts of such names, as in "training_set", "TrainImages" or "trainlist01".
THINGS = {
    *("set", "data", "dataset", "split", "part", "fold", "list", "folder", "dir", "samples"),
    *("labels", "annotations", "names", "file", "files"),
    *("image", "images", "img", "imgs", "video", "videos", "clips", "frames", "rawframes"),
}
WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+")  # also of names in camel case


def read_split(name: str) -> tuple[str, tuple[str, ...]]:
    """Return "train", "val", "test" or "" for none, and what else the name says."""
    splits, others = [], []
    for word in (match.lower() for match in WORD.findall(name)):
        ends = [word, *(word.removesuffix(thing) for thing in THINGS)]
        if split := next((SPLITS[end] for end in ends if end in SPLITS), ""):
            splits.append(split)
        elif word not in THINGS:
            others.append(word)
    if splits in (["train", "val"], ["val", "train"]):
        splits = ["train"]  # "train_val" is both
    return splits[0] if len({*splits}) == 1 else "", tuple(others)


def find_splits(names: Iterable[str]) -> dict[str, str]:
    """Return the names that are splits, by the split, among those of files or folders side by side.

    A name that says more, such as "seg_train", is one only beside another split that says the same:
    "train_station" may be a class.
    """
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name in sorted(names):
        split, others = read_split(name)
        if split:
            groups.setdefault(others, {}).setdefault(split, name)
    for others, group in sorted(groups.items(), key=lambda entry: (len(entry[1]) < 2, entry[0])):
        if len(group) > 1 or ("train" in group and not others):
            return {split: group[split] for split in ("train", "val", "test") if split in group}
    return {}
