#% if annotations.folders
#% include "detection/annotations/find_images.py"


#% endif
#% if annotations.lists
def list_images(file: Path) -> list[Path]:
    """Read the paths of images in a text file, relative to its own folder."""
    lines = map(str.strip, read_lines(file))
    return [file.parent / line for line in lines if line]


#% endif
def read_records(images: list[Path], problems: list[str]) -> list[Record]:
    """Read the images' objects; an image without a file of labels has none."""
    records = []
    for image, size in zip(images, read_sizes(images, problems), strict=True):
        if size is None:
            continue
        height, width = size
        # Where YOLO looks: the last folder "images" on the path makes way for "labels".
        path = "/labels/".join(image.absolute().as_posix().rsplit("/images/", 1))
        file = Path(path).with_suffix(".txt")
        if not file.exists():
            file = image.with_suffix(".txt")  # beside it, as Darknet has it
        objects: list[Object] = []
        try:
            lines = read_lines(file) if file.exists() else []
        except ValueError as error:
            problems.append(str(error))
            continue
        for number, line in enumerate(lines, 1):
            where = f"{file}:{number}"
            if not line.strip():
                continue
            try:
                key, *values = map(float, line.split())
            except ValueError:
                problems.append(f"{where}: must be numbers, not {line!r}")
                continue
            #% if annotations.keypoints
            if len(values) != 4 + KEYPOINT_NUMBERS:
                wanted = f"x, y, width and height, and {KEYPOINT_NUMBERS} numbers"
            #% elif annotations.masks
            if len(values) < 6 or len(values) % 2:
                wanted = "x and y of three points or more; a box is no outline"
            #% else
            if len(values) < 4 or len(values) % 2:
                wanted = "x, y, width and height, or x and y of three points or more"
            #% endif
                problems.append(f"{where}: must be a class, and {wanted}")
                continue
            if key not in {{ annotations.numbers }}:
                problems.append(f"{where}: no class {key:g}; there are {len(NAMES)}")
                continue
            #% if annotations.subset
            if NAMES[int(key)] not in CLASSES:
                continue
            #% endif
            #% if annotations.keypoints
            center, side = np.reshape(values[:4], (2, 2)) * (width, height)
            low, high = center - side / 2, center + side / 2
            #% else
            points = np.reshape(values, (-1, 2)) * (width, height)
            low, high = points.min(0), points.max(0)
            #% if not annotations.masks
            if len(points) == 2:
                low, high = points[0] - points[1] / 2, points[0] + points[1] / 2
            #% endif
            #% endif
            if box := cut_box([*low.tolist(), *high.tolist()], size, where, problems):
                label = CLASSES.index(NAMES[int(key)])
                #% if annotations.masks
                objects.append((box, label, False, [points.ravel()]))
                #% else
                objects.append((box, label, False))
                #% endif
        records.append(build_record(image, size, objects))
    return records
#% if annotations.masks


#% include "detection/annotations/polygons.py"
#% endif
