#% include "classification/sources/row.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    """The rows of a CSV file, with images in `root`.

    Raises:
        ValueError: names the row that is not as it should be.
    """
    rows = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        #% if data.delimiter
        reader = csv.DictReader(file, delimiter=DELIMITER)
        #% else
        reader = csv.DictReader(file)
        #% endif
        #% if data.label_columns
        needed = {IMAGE_COLUMN, *CLASSES}
        #% else
        needed = {IMAGE_COLUMN, LABEL_COLUMN}
        #% endif
        if missing := needed - {*(reader.fieldnames or ())}:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if None in row.values():
                raise ValueError(f"{place}: fewer fields than the header has")
            #% if data.label_columns
            if odd := {row[name] for name in CLASSES} - {"0", "1", "0.0", "1.0"}:
                raise ValueError(f"{place}: must be 0 or 1 for each class, not {odd}")
            labels = [name for name in CLASSES if row[name] in ("1", "1.0")]
            #% else
            #% if data.multi_label
            labels = [it for it in row[LABEL_COLUMN].split(LABEL_SEPARATOR) if it]
            #% endif
            #% endif
            #% if data.multi_label
            rows.append((place, root / row[IMAGE_COLUMN], labels))
            #% else
            rows.append((place, root / row[IMAGE_COLUMN], row[LABEL_COLUMN]))
            #% endif
    return rows


#% include "classification/sources/labels.py"
