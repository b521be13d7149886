#% include "classification/sources/row.py"


#% include "classification/sources/open_text.py"


def read_rows(folder: Path, path: Path) -> list[Row]:
    """Read a list of UCF101's: CLASS/VIDEO in `folder`, and perhaps a number.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            name = line.split()[0] if line.strip() else ""
            if name and "/" not in name:
                raise ValueError(f"{path}:{number}: must be CLASS/VIDEO, not {name!r}")
            if name:
                rows.append((f"{path}:{number}", folder / name, name.split("/")[0]))
    return rows


def read_classes(path: Path) -> list[str]:
    """Read the classes' names, in lines of a number from 1 on and a name.

    Raises:
        ValueError: names the line that is not so.
    """
    names = []
    for number, line in enumerate(open_text(path).read().splitlines(), 1):
        if words := line.split():
            if words[0] != str(len(names) + 1) or len(words) != 2:
                wanted = f"{len(names) + 1} and a class"
                raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
            names.append(words[1])
    return names


#% include "classification/sources/labels.py"
