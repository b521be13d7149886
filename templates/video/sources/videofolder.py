def read_folder(folder: Path, transform: {{ data.transform }}) -> Samples:
    """The videos in `folder`, which has one folder for each class.

    Raises:
        FileNotFoundError: if a class has no video.
        ValueError: if there are not NUM_CLASSES.
    """
    found = DatasetFolder(folder, loader=Path, is_valid_file=is_video_file)
    if len(found.classes) != NUM_CLASSES:
        raise ValueError(
            f"{folder}: {len(found.classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    files = [Path(file) for file, _ in found.samples]
    return Samples(files, found.targets, found.classes, transform)


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """The training and validation videos, from one folder of `root` a class."""
    return split(read_folder({{ data.train_args[0] }}, train_clip))
    #% else
    """The training and validation videos: under `root`, in one folder a class.

    Raises:
        ValueError: if their classes differ.
    """
    train = read_folder({{ data.train_args[0] }}, train_clip)
    val = read_folder({{ data.val_args[0] }}, eval_clip)
    if odd := set(train.classes) ^ set(val.classes):
        raise ValueError(f"{root}: not in both training and validation: {sorted(odd)}")
    return train, val
    #% endif
