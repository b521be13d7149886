#% include "classification/sources/folders.py"


#% include "classification/sources/readable.py"


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """Build the training and validation sets, from one folder of `root` a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, or one has no image.
    """
    #% else
    """Build the training and validation sets: under `root`, one folder a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, one has no image to train on, or
            validation has one that training has not; it need not have all.
    """
    #% endif
    folder = {{ data.train_args[0] }}
    classes = list_classes(folder)
    if len(classes) != NUM_CLASSES:
        raise ValueError(
            f"{folder}: {len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    train = read_folder(folder, classes, train_transform)
    if empty := {*range(NUM_CLASSES)} - {*train.labels}:
        names = sorted(classes[label] for label in empty)
        raise ValueError(f"{folder}: no image of {names}")
    #% if data.val_fraction
    #% if data.groups
    groups = {{ data.groups }}
    train, val = readable([*split(train, groups)])
    return train, val
    #% else
    return split(*readable([train]))
    #% endif
    #% elif data.test_args
    train, val = readable([train, read_eval_set(root, classes, "val")])
    return train, val
    #% else
    train, val = readable([train, read_eval_set(root, classes)])
    return train, val
    #% endif


#% if data.held_out.any
#% if data.held_out.both
def read_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the images of the split "val" or "test"; they need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {"val": {{ data.val_args[0] }}, "test": {{ data.test_args[0] }}}[split]
#% elif data.test_args
def read_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the test images, which need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {{ data.test_args[0] }}
#% else
def read_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation images, which need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {{ data.val_args[0] }}
#% endif
    if unknown := sorted({*list_classes(folder)} - {*classes}):
        raise ValueError(f"{folder}: not in training: {unknown}")
    return read_folder(folder, classes, eval_transform)


#% if data.test_args
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the images of the split "val" or "test", without a look at others."""
    #% if data.val_fraction
    if split == "val":
        return build_datasets(root)[1]
    return readable([read_eval_set(root, classes)])[0]
    #% else
    return readable([read_eval_set(root, classes, split)])[0]
    #% endif
#% else
def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation images, without a look at those to train on."""
    return readable([read_eval_set(root, classes)])[0]
#% endif
#% endif
