#% include "classification/sources/row.py"


#% include "classification/sources/open_text.py"
COLUMNS = ["label", "youtube_id", "time_start", "time_end"]


def read_rows(folder: Path, path: Path) -> list[Row]:
    """Read the rows of one of Kinetics' CSV files whose videos are in `folder`.

    Its files are called ID_FROM_TO, with six digits for each time, and lie there or in
    a folder for each class. Those that are not there are left out, and counted: many
    are gone from YouTube.

    Raises:
        ValueError: if none is there, or names the line that is not as it should be.
    """
    names = glob.glob("**", root_dir=folder, recursive=True)
    files = {Path(name).stem: folder / name for name in names if is_video_file(name)}
    rows, missing = [], 0
    with open_text(path) as file:
        for row in (reader := csv.DictReader(file)):
            place = f"{path}:{reader.line_num}"
            try:
                label, video, *times = (row[column] for column in COLUMNS)
                begin, end = (int(float(time)) for time in times)
            except (KeyError, OverflowError, TypeError, ValueError):
                raise ValueError(f"{place}: must have {COLUMNS}, not {row}") from None
            if not label.strip():
                raise ValueError(f"{place}: the label is empty; write one")
            name = f"{video}_{begin:06}_{end:06}"
            if name in files:
                rows.append((place, files[name], label.strip()))
            else:
                missing += 1
    if not rows:
        raise ValueError(f"{folder}: has none of the {missing} videos of {path}")
    if missing and dist.get_rank() == 0:
        print(f"{path}: {missing} of {missing + len(rows)} videos are not there")
    return rows


#% include "classification/sources/labels.py"
