def list_classes(folder: Path) -> list[str]:
    """The names of the folders in `folder`, sorted; a leading dot hides one."""
    names = (it.name for it in folder.iterdir() if it.is_dir())
    return sorted(name for name in names if not name.startswith("."))


def read_folder(folder: Path, classes: list[str], transform: {{ data.transform }}) -> Samples:
    """The videos in `folder`, which has one folder for each of `classes`.

    Names that begin with a dot hide files and folders, such as .ipynb_checkpoints.
    """
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        names = sorted(glob.glob("**", root_dir=folder / name, recursive=True))
        found = [folder / name / it for it in names if is_video_file(it)]
        files += found
        labels += [label] * len(found)
    return Samples(files, labels, classes, transform)


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    #% if data.val_fraction
    """The training and validation videos, from one folder of `root` a class.

    Raises:
        ValueError: if there are not NUM_CLASSES, or one has no video.
    """
    #% else
    """The training and validation videos: under `root`, in one folder a class.

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
    return split(train)
    #% elif data.test_args
    return train, build_eval_set(root, classes, "val")
    #% else
    return train, build_eval_set(root, classes)
    #% endif


#% if data.held_out.any
#% if data.held_out.both
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """The videos of the split "val" or "test"; they need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {"val": {{ data.val_args[0] }}, "test": {{ data.test_args[0] }}}[split]
#% elif data.test_args
def build_eval_set(root: Path, classes: list[str], split: str) -> Samples:
    """The videos of the split "val" or "test"; these need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    if split == "val":
        return build_datasets(root)[1]
    folder = {{ data.test_args[0] }}
#% else
def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """The validation videos, which need not have all `classes`.

    Raises:
        ValueError: if they have others.
    """
    folder = {{ data.val_args[0] }}
#% endif
    if odd := sorted({*list_classes(folder)} - {*classes}):
        raise ValueError(f"{folder}: not in training: {odd}")
    return read_folder(folder, classes, eval_clip)
#% endif
