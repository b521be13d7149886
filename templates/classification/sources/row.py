#% if data.multi_label
Row = tuple[str, Path, list[str]]  # where it stands, an image, its labels
#% else
Row = tuple[str, Path, str]  # where it stands, an image, its label
#% endif
