def read_folder(folder: Path, transform: {{ data.transform }}) -> Samples:
    """The videos in `folder`, which has one folder for each class.

    Names that begin with a dot hide folders and files, such as .ipynb_checkpoints.

    Raises:
        FileNotFoundError: if a class has no video.
        ValueError: if there are not NUM_CLASSES.
    """
    folders = (it.name for it in folder.iterdir() if it.is_dir())
    classes = sorted(name for name in folders if not name.startswith("."))
    if len(classes) != NUM_CLASSES:
        raise ValueError(
            f"{folder}: {len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        names = sorted(glob.glob("**", root_dir=folder / name, recursive=True))
        found = [folder / name / it for it in names if is_video_file(it)]
        if not found:
            raise FileNotFoundError(f"{folder / name}: no video")
        files += found
        labels += [label] * len(found)
    return Samples(files, labels, classes, transform)


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
