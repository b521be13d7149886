#% include "classification/sources/folders.py"


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """Build the training and validation sets, from one folder of `root` a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, or one has no video.
    """
    #% else
    """Build the training and validation sets: under `root`, one folder a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, one has no video to train on, or
            validation has one that training has not; it need not have all.
    """
    #% endif
    folder = {{ data.train_args[0] }}
    classes = list_classes(folder)
    if len(classes) != NUM_CLASSES:
        raise ValueError(
            f"{folder}: {len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    train = read_folder(folder, classes, train_clip)
    if empty := {*range(NUM_CLASSES)} - {*train.labels}:
        names = sorted(classes[label] for label in empty)
        raise ValueError(f"{folder}: no video of {names}")
    #% if data.val_fraction
    #% if data.groups
    groups = {{ data.groups }}
    return split(train, groups)
    #% else
    return split(train)
    #% endif
    #% elif data.test_args
    return train, build_eval_set(root, classes, "val")
    #% else
    return train, build_eval_set(root, classes)
    #% endif


#% if data.held_out.any
#% if data.held_out.both
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the videos of the split "val" or "test"; they need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {"val": {{ data.val_args[0] }}, "test": {{ data.test_args[0] }}}[split]
#% elif data.test_args
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """Read the videos of the split "val" or "test"; these need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    if split == "val":
        return build_datasets(root)[1]
    folder = {{ data.test_args[0] }}
#% else
def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation videos, which need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {{ data.val_args[0] }}
#% endif
    if unknown := sorted({*list_classes(folder)} - {*classes}):
        raise ValueError(f"{folder}: not in training: {unknown}")
    return read_folder(folder, classes, eval_clip)
#% endif
