#% include "classification/sources/row.py"


#% include "classification/sources/open_text.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    """Read a list file, in each line a path in `root`, SEPARATOR and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            name, _, label = line.strip().rpartition(SEPARATOR)
            #% if data.multi_label
            ending = line.rstrip("\n")
            if not name and ending.endswith(SEPARATOR):  # an image without labels
                name, label = ending.removesuffix(SEPARATOR).strip(), ""
            #% else
            if name and not label.strip():
                raise ValueError(f"{path}:{number}: the label is empty; write one")
            #% endif
            if name:
                #% if data.image_suffix
                source = root / (name.strip() + IMAGE_SUFFIX)
                #% else
                source = root / name.strip()
                #% endif
                #% if data.multi_label
                labels = [name.strip() for name in label.split(",") if name.strip()]
                rows.append((f"{path}:{number}", source, labels))
                #% else
                rows.append((f"{path}:{number}", source, label.strip()))
                #% endif
            elif line.strip():
                wanted = f"a path, {SEPARATOR!r} and a label"
                raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows


#% include "classification/sources/labels.py"
