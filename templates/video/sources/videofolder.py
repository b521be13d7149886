#% if data.val_fraction
def read_folder(folder: Path, transform: {{ data.transform }}) -> Samples:
    """The videos in `folder`, which has one folder for each class.

    Raises:
        FileNotFoundError: if a class has no video.
    """
    found = DatasetFolder(folder, loader=Path, is_valid_file=is_video_file)
#% else
def read_folder(
    folder: Path, transform: {{ data.transform }}, allow_empty: bool = False
) -> Samples:
    """The videos in `folder`, which has one folder for each class.

    Raises:
        FileNotFoundError: if a class has no video, unless `allow_empty`.
    """
    found = DatasetFolder(folder, loader=Path, is_valid_file=is_video_file, allow_empty=allow_empty)
#% endif
    files = [Path(file) for file, _ in found.samples]
    return Samples(files, found.targets, found.classes, transform)


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """The training and validation videos, from one folder of `root` a class.

    Raises:
        ValueError: if there are not NUM_CLASSES.
    """
    #% else
    """The training and validation videos: under `root`, in one folder a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, or validation has one that training
            has not; it need not have all.
    """
    #% endif
    train = read_folder({{ data.train_args[0] }}, train_clip)
    if len(train.classes) != NUM_CLASSES:
        raise ValueError(
            f"{root}: {len(train.classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    #% if data.val_fraction
    return split(train)
    #% else
    val = read_folder({{ data.val_args[0] }}, eval_clip, allow_empty=True)
    if odd := set(val.classes) - set(train.classes):
        raise ValueError(f"{root}: in validation, but not in training: {sorted(odd)}")
    labels = [train.classes.index(val.classes[label]) for label in val.labels]
    return train, replace(val, labels=labels, classes=train.classes)
    #% endif
