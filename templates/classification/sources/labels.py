#% if data.name_classes
def name_classes(rows: list[Row]) -> list[str]:
    """Return the classes' names: all labels, or numbers if all labels are numbers.

    "007" is a name: numbers have no zeros in front.
    """
    #% if data.multi_label
    names = sorted({label for _, _, labels in rows for label in labels})
    #% else
    names = sorted({label for _, _, label in rows})
    #% endif
    if all(re.fullmatch("0|-?[1-9][0-9]*", name) for name in names):
        return [str(number) for number in range(NUM_CLASSES)]
    return names


#% endif
#% if data.clips
#% include "video/check.py"


#% endif
def build_samples(
    rows: list[Row], classes: list[str], transform: {{ data.transform }}
) -> Samples:
    """Build samples, with the numbers of their classes.

    Raises:
        ValueError: names the line of a label that is no class.
    """
    #% if data.labels_are_numbers
    numbers = {str(number): number for number in range(NUM_CLASSES)}
    #% else
    numbers = {name: number for number, name in enumerate(classes)}
    #% if data.labels_may_be_numbers
    numbers |= {str(number): number for number in range(NUM_CLASSES)}
    #% endif
    #% endif
    if len(classes) != NUM_CLASSES:
        raise ValueError(f"{len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}")
    #% if data.multi_label
    for place, _, names in rows:
        if unknown := [name for name in names if name not in numbers]:
            raise ValueError(f"{place}: {unknown} are none of {NUM_CLASSES} classes")
    labels = [sorted({numbers[name] for name in names}) for _, _, names in rows]
    #% else
    for place, _, name in rows:
        if name not in numbers:
            raise ValueError(f"{place}: {name!r} is none of {NUM_CLASSES} classes")
    labels = [numbers[name] for _, _, name in rows]
    #% endif
    return Samples([source for _, source, _ in rows], labels, classes, transform)


#% if not data.clips
#% include "classification/sources/readable.py"


#% endif
#% if data.classes_file
def read_classes(root: Path) -> list[str]:
    """Return the names of the classes, in the order of their numbers."""
    text = open_text({{ data.classes_file }}).read()
    return [line.strip() for line in text.strip().splitlines()]


#% endif
def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets."""
    rows = read_rows({{ data.train_args[0] }}, {{ data.train_args[1] }})
    classes = {{ data.classes }}
    #% if data.val_fraction
    #% if data.clips
    check(rows)
    #% if data.groups
    train = build_samples(rows, classes, train_clip)
    groups = {{ data.groups }}
    return split(train, groups)
    #% else
    return split(build_samples(rows, classes, train_clip))
    #% endif
    #% elif data.groups
    train = build_samples(rows, classes, train_transform)
    groups = {{ data.groups }}
    train, val = readable([*split(train, groups)])
    return train, val
    #% else
    return split(*readable([build_samples(rows, classes, train_transform)]))
    #% endif
    #% else
    #% if data.test_args
    val_rows = read_eval_rows(root, "val")
    #% else
    val_rows = read_eval_rows(root)
    #% endif
    #% if data.val_classes
    if {{ data.val_classes }} != classes:
        raise ValueError(f"{root}: training and validation have different classes")
    #% endif
    #% if data.clips
    check(rows + val_rows)
    return (
        build_samples(rows, classes, train_clip),
        build_samples(val_rows, classes, eval_clip),
    )
    #% else
    train = build_samples(rows, classes, train_transform)
    train, val = readable([train, build_samples(val_rows, classes, eval_transform)])
    return train, val
    #% endif
    #% endif


#% if data.held_out.both
def read_eval_rows(root: Path, split: str) -> list[Row]:
    """Read the rows of the split "val" or "test"."""
    places = {
        "val": ({{ data.val_args[0] }}, {{ data.val_args[1] }}),
        "test": ({{ data.test_args[0] }}, {{ data.test_args[1] }}),
    }
    return read_rows(*places[split])


#% elif data.held_out.val
def read_eval_rows(root: Path) -> list[Row]:
    """Read the rows of the validation {{ sample }}s."""
    return read_rows({{ data.val_args[0] }}, {{ data.val_args[1] }})


#% endif
#% if data.held_out.any
#% if data.held_out.both
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the {{ sample }}s of the split "val" or "test", without a look at others."""
    rows = read_eval_rows(root, split)
#% elif data.test_args
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the {{ sample }}s of the split "val" or "test", without a look at others."""
    if split == "val":
        return build_datasets(root)[1]
    rows = read_rows({{ data.test_args[0] }}, {{ data.test_args[1] }})
#% else
def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation {{ sample }}s, without a look at those to train on."""
    rows = read_eval_rows(root)
#% endif
    #% if data.eval_classes
    if (names := {{ data.eval_classes }}) != classes:
        odd = sorted({*names} ^ {*classes}) or "the same in another order"
        raise ValueError(f"{root}: not the classes of the model: {odd}")
    #% endif
    #% if data.clips
    check(rows)
    return build_samples(rows, classes, eval_clip)
    #% else
    return readable([build_samples(rows, classes, eval_transform)])[0]
    #% endif
#% endif
