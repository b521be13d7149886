#% if data.files
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight images of noise in `root`, for training and for validation."""
    #% if data.bands
    files = [root / f"{index}.npy" for index in range(8)]
    #% else
    files = [root / f"{index}.png" for index in range(8)]
    #% endif
    classes = [f"class {number}" for number in range(data.NUM_CLASSES)]
    #% if data.multi_label
    labels = [[index % data.NUM_CLASSES] for index in range(8)]
    #% else
    labels = [index % data.NUM_CLASSES for index in range(8)]
    #% endif
    return (
        data.Samples(files, labels, classes, data.train_transform),
        data.Samples(files, labels, classes, data.eval_transform),
    )
#% else
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """Make eight images of noise, for training and for validation."""
    source = FakeData(8, (3, {{ data.sides }}))
    names = [f"made-up image {index}" for index in range(8)]
    labels = [index % data.NUM_CLASSES for index in range(8)]
    classes = [f"class {number}" for number in range(data.NUM_CLASSES)]
    return (
        data.Samples(source, names, labels, classes, data.train_transform),
        data.Samples(source, names, labels, classes, data.eval_transform),
    )
#% endif
