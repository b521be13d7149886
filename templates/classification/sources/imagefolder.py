def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """The training and validation images: under `root`, in one folder a class.

    Raises:
        ValueError: if their classes differ, or are not NUM_CLASSES.
    """
    train = ImageFolder(root / {{ data.train_dir }}, loader=read_image)
    val = ImageFolder(root / {{ data.val_dir }}, loader=read_image)
    if odd := set(train.classes) ^ set(val.classes):
        raise ValueError(f"{root}: not in both training and validation: {sorted(odd)}")
    if len(train.classes) != NUM_CLASSES:
        raise ValueError(
            f"{root}: {len(train.classes)} classes, but NUM_CLASSES is {NUM_CLASSES}"
        )
    return (
        Samples(train, [path for path, _ in train.samples], train_transform),
        Samples(val, [path for path, _ in val.samples], eval_transform),
    )
