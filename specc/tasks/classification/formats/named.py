"""The plan of reading torchvision's own datasets."""

from collections.abc import Mapping

from specc.catalog.datasets import Dataset, dataset
from specc.source.diagnostics import choices, nearest
from specc.source.problems import Problems
from specc.tasks.classification.formats.language import Emnist, NamedData
from specc.tasks.common.code import Call, Name
from specc.tasks.common.plan import NamedPlan


def known_dataset(data: NamedData | Emnist) -> Dataset:
    name = f"emnist-{data.split}" if isinstance(data, Emnist) else data.format
    return dataset(name)


def plan_named(data: NamedData | Emnist, problems: Problems) -> NamedPlan:
    row = known_dataset(data)
    train, val = data.train or row.train, data.val or row.val
    _check_splits(data, row, problems)
    splits = [train] if data.val_fraction or not row.split else [train, val]
    download = {"download": True} if row.download else {}
    alike = row.split == "train" or len(splits) == 1  # all splits are in one download
    first = tuple(_load(row, split, download) for split in (splits[:1] if alike else splits))
    return NamedPlan(
        first=first,
        train=_load(row, train, {}),
        train_setup=_setup(row, "train"),
        train_samples=_samples(row, "train", train),
        val=_load(row, val, {}) if len(splits) == 2 else None,
        val_setup=_setup(row, "val"),
        val_samples=_samples(row, "val", val) if len(splits) == 2 else None,
    )


def _check_splits(data: NamedData | Emnist, row: Dataset, problems: Problems) -> None:
    for name, split in (("train", data.train), ("val", data.val)):
        key = ("data", name)
        if split is None:
            continue
        if not row.split:
            message = f"{row.title} has no splits; leave it out, and write e.g. val_fraction = 0.2"
            problems.add(key, message)
        elif split not in row.images:
            hint = nearest(split, row.images)
            message = f'{row.title} has no split "{split}"; write {choices(row.images)}{hint}'
            problems.add(key, message)
    if not row.split and not data.val_fraction:
        message = f"{row.title} has no validation images; write e.g. val_fraction = 0.2"
        problems.add(("data", "val_fraction"), message, ("data", "format"))
    train, val = data.train or row.train, data.val or row.val
    if row.split and not data.val_fraction and _overlap(train, val):
        message = f'its images are in "{train}" as well, which is trained on; name another split'
        problems.add(("data", "val"), message, ("data", "train"))


def _overlap(train: str, val: str) -> bool:
    return train == val or {train, val} in ({"trainval", "train"}, {"trainval", "val"})


def _load(row: Dataset, split: str, further: Mapping[str, object]) -> Call:
    options: dict[str, object] = {}
    if row.split == "train":
        options["train"] = split == "train"
    elif row.split:
        options["split"] = split
    return Call(row.class_name, (Name("root"),), {**row.options, **options, **further})


def _setup(row: Dataset, source: str) -> Name | None:
    return Name(_of(row.setup, source)) if row.setup else None


def _samples(row: Dataset, source: str, split: str) -> Call:
    """Return the call that makes samples of the dataset in the variable `source`."""
    transform = Name("train_transform" if source == "train" else "eval_transform")
    numbers = "[str(number) for number in range(NUM_CLASSES)]"
    told = f"{row.title}'s {split} image" if row.split else f"{row.title}'s image"
    names = Name(f'[f"{told} {{index}}" for index in range(len({source}))]')
    images = (Name(_of(row.files, source)),) if row.files else (Name(source), names)
    labels = Name(_of(row.labels, source))
    classes = Name(_of(row.classes, source) if row.classes else numbers)
    return Call("Samples", (*images, labels, classes, transform))


def _of(expression: str, source: str) -> str:
    return expression.replace("source", source)
