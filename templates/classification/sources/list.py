#% include "classification/sources/row.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    """The lines of a list file: an image in `root`, SEPARATOR and what it is labelled.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            image, _, label = line.strip().rpartition(SEPARATOR)
            if image:
                #% if data.multi_label
                rows.append((f"{path}:{number}", root / image, label.split(",")))
                #% else
                rows.append((f"{path}:{number}", root / image, label))
                #% endif
            elif line.strip():
                wanted = f"a path, {SEPARATOR!r} and a label"
                raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows


#% include "classification/sources/labels.py"
