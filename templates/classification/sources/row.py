#% if data.multi_label
Row = tuple[str, Path, list[str]]  # where it stands, an image, its labels
#% elif data.clips
Row = tuple[str, {{ data.read_from }}, str]  # where it stands, a video, its label
#% else
Row = tuple[str, Path, str]  # where it stands, an image, its label
#% endif
