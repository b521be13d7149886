def list_classes(folder: Path) -> list[str]:
    """List the names of the folders in `folder`, sorted, without hidden ones."""
    names = (path.name for path in folder.iterdir() if path.is_dir())
    return sorted(name for name in names if not name.startswith("."))


def read_folder(
    folder: Path, classes: list[str], transform: {{ data.transform }}
) -> Samples:
    """Read the {{ sample }}s in `folder`, which has one folder for each of `classes`.

    Names that begin with a dot hide files and folders, such as .ipynb_checkpoints.
    """
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        names = sorted(glob.glob("**", root_dir=folder / name, recursive=True))
        members = [folder / name / path for path in names if {{ is_sample }}(path)]
        files += members
        labels += [label] * len(members)
    return Samples(files, labels, classes, transform)
