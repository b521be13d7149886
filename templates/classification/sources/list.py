#% include "classification/sources/row.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    """The lines of a list file: a path in `root`, SEPARATOR and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            name, _, label = line.strip().rpartition(SEPARATOR)
            if name:
                #% if data.multi_label
                rows.append((f"{path}:{number}", root / name, label.split(",")))
                #% else
                rows.append((f"{path}:{number}", root / name, label))
                #% endif
            elif line.strip():
                wanted = f"a path, {SEPARATOR!r} and a label"
                raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows


#% include "classification/sources/labels.py"
