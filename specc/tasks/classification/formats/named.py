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
    download = {"download": True} if row.download else {}
    splits = {} if data.val_fraction else {"val": val}
    splits |= {"test": data.test} if data.test else {}
    held: str | Name = Name("name") if len(splits) == 2 else next(iter(splits.values()), val)
    # Both parts of such a dataset come in one download, and what is evaluated is fetched first.
    one_download = row.split == "train" and "val" in splits
    return NamedPlan(
        first=None if one_download else _load(row, train, download),
        train=_load(row, train, {}),
        train_setup=_setup(row, "train"),
        train_samples=_samples(row, "train", train),
        held_first=_load(row, held, download),
        held=_load(row, held, {}),
        held_setup=_setup(row, "source"),
        held_samples=_samples(row, "source", held),
        held_splits=splits,
    )


def _check_splits(data: NamedData | Emnist, row: Dataset, problems: Problems) -> None:
    for name, split in (("train", data.train), ("val", data.val), ("test", data.test)):
        key = ("data", name)
        if split is None:
            continue
        if not row.split:
            advice = ", and write e.g. val_fraction = 0.2" if name != "test" else ""
            problems.add(key, f"{row.title} has no splits; leave it out{advice}")
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
    if row.split and data.test and _overlap(train, data.test):
        message = f'its images are in "{train}" as well, which is trained on; name another split'
        problems.add(("data", "test"), message, ("data", "train"))
    elif row.split and data.test and not data.val_fraction and _overlap(val, data.test):
        message = f'its images are in "{val}" as well, which is validated on; name another split'
        hint = ", or write e.g. val_fraction = 0.2" if data.val is None else ""
        problems.add(("data", "test"), f"{message}{hint}", ("data", "val"))


def _overlap(one: str, other: str) -> bool:
    return one == other or {one, other} in ({"trainval", "train"}, {"trainval", "val"})


def _load(row: Dataset, split: str | Name, further: Mapping[str, object]) -> Call:
    options: dict[str, object] = {}
    if row.split == "train":
        options["train"] = split == "train"
    elif row.split:
        options["split"] = split
    return Call(row.class_name, (Name("root"),), {**row.options, **options, **further})


def _setup(row: Dataset, source: str) -> Name | None:
    return Name(_of(row.setup, source)) if row.setup else None


def _samples(row: Dataset, source: str, split: str | Name) -> Call:
    """Return the call that makes samples of the dataset in the variable `source`."""
    transform = Name("train_transform" if source == "train" else "eval_transform")
    numbers = "[str(number) for number in range(NUM_CLASSES)]"
    told = f"{row.title}'s {split} image" if row.split else f"{row.title}'s image"
    if isinstance(split, Name):
        told = f"{row.title}'s {{{split}}} image"
    names = Name(f'[f"{told} {{index}}" for index in range(len({source}))]')
    images = (Name(_of(row.files, source)),) if row.files else (Name(source), names)
    labels = Name(_of(row.labels, source))
    classes = Name(_of(row.classes, source) if row.classes else numbers)
    return Call("Samples", (*images, labels, classes, transform))


def _of(expression: str, source: str) -> str:
    return expression.replace("source", source)
