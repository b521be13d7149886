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
    #% else
    val_folder = {{ data.val_args[0] }}
    if unknown := sorted({*list_classes(val_folder)} - {*classes}):
        raise ValueError(f"{val_folder}: not in training: {unknown}")
    return train, read_folder(val_folder, classes, eval_clip)
    #% endif
