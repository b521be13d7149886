def read_folder(folder: Path, transform: v2.Transform) -> Samples:
    """The images in `folder`, which has one folder for each class.

    Raises:
        FileNotFoundError: if a class has no image.
        ValueError: if there are not NUM_CLASSES.
    """
    found = ImageFolder(folder)
    if len(found.classes) != NUM_CLASSES:
        raise ValueError(
            f"{folder}: {len(found.classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    files = [file for file, _ in found.samples]
    return Samples(files, found.targets, found.classes, transform)


#% include "classification/sources/readable.py"


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """The training and validation images, from one folder of `root` a class."""
    return split(*readable([read_folder({{ data.train_args[0] }}, train_transform)]))
    #% else
    """The training and validation images: under `root`, in one folder a class.

    Raises:
        ValueError: if their classes differ.
    """
    train = read_folder({{ data.train_args[0] }}, train_transform)
    val = read_folder({{ data.val_args[0] }}, eval_transform)
    if odd := set(train.classes) ^ set(val.classes):
        raise ValueError(f"{root}: not in both training and validation: {sorted(odd)}")
    train, val = readable([train, val])
    return train, val
    #% endif
