#% include "classification/sources/row.py"


#% include "classification/sources/open_text.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    """Read the rows of a CSV file, with images in `root`.

    Raises:
        ValueError: names the row that is not as it should be.
    """
    rows = []
    with open_text(path) as file:
        #% if data.delimiter
        reader = csv.DictReader(file, delimiter=DELIMITER, skipinitialspace=True)
        #% else
        reader = csv.DictReader(file, skipinitialspace=True)
        #% endif
        #% if data.label_columns
        needed = {IMAGE_COLUMN, *CLASSES}
        #% else
        needed = {IMAGE_COLUMN, LABEL_COLUMN}
        #% endif
        #% if data.group_column
        needed.add(GROUP_COLUMN)
        #% endif
        if missing := needed - {*(reader.fieldnames or ())}:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise ValueError(f"{place}: not as many fields as the header has")
            #% if data.label_columns
            if invalid := {row[name].strip() for name in CLASSES} - {"0", "1", "0.0", "1.0"}:
                raise ValueError(f"{place}: must be 0 or 1 for each class, not {invalid}")
            labels = [name for name in CLASSES if row[name].strip() in ("1", "1.0")]
            #% else
            #% if data.multi_label
            names = map(str.strip, row[LABEL_COLUMN].split(LABEL_SEPARATOR))
            labels = [name for name in names if name]
            #% else
            label = row[LABEL_COLUMN].strip()
            if not label:
                raise ValueError(f"{place}: the label is empty; write one")
            #% endif
            #% endif
            #% if data.group_column
            if not row[GROUP_COLUMN].strip():
                raise ValueError(f"{place}: {GROUP_COLUMN} is empty; write one")
            #% endif
            #% if data.image_suffix
            image = root / (row[IMAGE_COLUMN].strip() + IMAGE_SUFFIX)
            #% else
            image = root / row[IMAGE_COLUMN].strip()
            #% endif
            #% if data.multi_label
            rows.append((place, image, labels))
            #% else
            rows.append((place, image, label))
            #% endif
    return rows


#% if data.group_column
def read_groups(path: Path) -> list[str]:
    """Read the group of each row of a CSV file."""
    with open_text(path) as file:
        #% if data.delimiter
        reader = csv.DictReader(file, delimiter=DELIMITER, skipinitialspace=True)
        #% else
        reader = csv.DictReader(file, skipinitialspace=True)
        #% endif
        return [row[GROUP_COLUMN].strip() for row in reader]


#% endif
#% include "classification/sources/labels.py"
