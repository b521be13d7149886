#% include "classification/sources/row.py"


#% include "classification/sources/open_text.py"


def read_rows(root: Path, path: Path) -> list[Row]:
    #% if data.with_offset
    """Read a list file, in each line a folder in `root`, OFFSET, FRAMES and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            match line.rsplit(maxsplit=3):
                case [folder, offset, count, label] if (offset + count).isdecimal() and int(count):
                    video = Frames(root / folder, FIRST_FRAME + int(offset), int(count))
                    rows.append((f"{path}:{number}", video, label))
                case [_, *_]:
                    wanted = "FOLDER OFFSET FRAMES LABEL"
                    raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows
    #% else
    """Read a list file, in each line a folder in `root`, FRAMES and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            match line.rsplit(maxsplit=2):
                case [folder, count, label] if count.isdecimal() and int(count):
                    video = Frames(root / folder, FIRST_FRAME, int(count))
                    rows.append((f"{path}:{number}", video, label))
                case [_, *_]:
                    wanted = "FOLDER FRAMES LABEL"
                    raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows
    #% endif


#% include "classification/sources/labels.py"
