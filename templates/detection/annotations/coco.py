MIXED = ", but that id as text or as a number; write all ids as numbers"
#% if annotations.masks
WANTED = "a bbox and a segmentation as COCO has them"
#% else
WANTED = "a bbox or a segmentation as COCO has them"
#% endif


def read_records(images: Path, file: Path, problems: list[str]) -> list[Record]:
    """Read the images of a COCO file, in its order, and their objects.

    Raises:
    #% if annotations.several
        ValueError: if it is not a COCO file.
    #% else
        ValueError: if it is not a COCO file, or lacks some of CLASSES.
    #% endif
    """
    try:
        content = json.loads(file.read_bytes())
        names = {row["id"]: str(row["name"]).strip() for row in content["categories"]}
        rows, annotations = content["images"], content["annotations"]
        for row in [*rows, *annotations]:  # with ids that can be looked up
            hash((row.get("id"), row.get("image_id"), row.get("category_id")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not JSON as COCO has it ({error!r})") from error
    #% if not annotations.several
    if missing := set({{ annotations.named }}) - set(names.values()):
        raise ValueError(f"{file}: no category has the name {sorted(missing)}")
    #% endif
    labels = {key: CLASSES.index(name) for key, name in names.items() if name in CLASSES}

    found = find_images(images, file, rows, problems)
    known = {row.get("id") for row in rows}
    texts = {str(key) for key in known}
    seen = set()
    wide, corners = False, True  # one leaves its image; all may be x1, y1, x2, y2
    objects: dict[Any, list[Object]] = {key: [] for key in found}
    for number, annotation in enumerate(annotations):
        where = f"{file}: annotation {annotation.get('id', f'number {number}')}"
        if absent := {"id", "image_id", "category_id"} - annotation.keys():
            problems.append(f"{where}: no {', '.join(sorted(absent))}")
            continue
        image_id, category = annotation["image_id"], annotation["category_id"]
        if annotation["id"] in seen:
            problems.append(f"{where}: the id is there twice")
        seen.add(annotation["id"])
        if image_id not in known:
            hint = MIXED if str(image_id) in texts else ""
            problems.append(f"{where}: no image {image_id!r}{hint}")
        elif category not in names:
            hint = MIXED if str(category) in map(str, names) else ""
            problems.append(f"{where}: no category {category!r}{hint}")
        elif category not in labels:
            #% if annotations.subset
            continue
            #% else
            problems.append(f"{where}: {names[category]!r} is none of CLASSES")
            #% endif
        elif image_id in found:
            _, size = found[image_id]
            #% if annotations.masks
            if not annotation.get("segmentation"):
                there = ", only a bbox" if annotation.get("bbox") else ""
                problems.append(f"{where}: no segmentation{there}")
                continue
            #% endif
            try:
                #% if annotations.masks
                shape = read_shape(annotation["segmentation"], size, where, problems)
                x, y, width, height = map(float, annotation.get("bbox") or bound(shape))
                #% else
                bbox = annotation.get("bbox") or bound(annotation["segmentation"], size)
                x, y, width, height = map(float, bbox)
                #% endif
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                problems.append(f"{where}: must have {WANTED} ({error})")
                continue
            area = annotation.get("area")
            area = width * height if area is None else read_number(area)
            if math.isfinite(width * height) and not math.isfinite(area):
                problems.append(f"{where}: area must be a number, not {annotation['area']!r}")
                continue
            iscrowd = annotation.get("iscrowd")
            if iscrowd not in (None, 0, 1, "0", "1"):
                problems.append(f"{where}: iscrowd must be 0 or 1, not {iscrowd!r}")
                continue
            wide |= x + width > size[1] + 1 or y + height > size[0] + 1
            corners &= x < width <= size[1] + 1 and y < height <= size[0] + 1
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = iscrowd in (1, "1")
                #% if annotations.masks
                objects[image_id].append((box, labels[category], crowd, area, shape))
                #% else
                objects[image_id].append((box, labels[category], crowd, area))
                #% endif
    if wide and corners:
        fault = "the boxes look like [x1, y1, x2, y2]; a bbox is [x, y, width, height]"
        problems.insert(0, f"{file}: {fault}")
    ids = {label: key for key, label in labels.items()}
    #% if annotations.several_val
    return [build_record(*found[key], objects[key], file, key, ids) for key in found]
    #% else
    return [build_record(*found[key], objects[key], key, ids) for key in found]
    #% endif


def read_number(value: Any) -> float:
    """Return a number, also of text; NaN if there is none."""
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan


#% if annotations.several
def check_classes(records: list[Record]) -> None:
    """Stop if one of CLASSES is in none of the files that images are from.

    Raises:
        ValueError: names it.
    """
    found = {CLASSES[label] for record in records for label in record.category_ids}
    if missing := set({{ annotations.named }}) - found:
        raise ValueError(f"no category of the files has the name {sorted(missing)}")


#% endif
def find_images(
    images: Path, file: Path, rows: list[dict[str, Any]], problems: list[str]
) -> dict[Any, tuple[Path, Size]]:
    """Find each image's file, height and width, by the ids of a COCO file."""
    listed: dict[Any, tuple[Path, Size]] = {}  # of size 0, 0 where none is said
    for number, row in enumerate(rows):
        where = f"{file}: image {row.get('id', f'number {number}')}"
        if absent := {"id", "file_name"} - row.keys():
            problems.append(f"{where}: no {', '.join(sorted(absent))}")
        elif row["id"] in listed:
            problems.append(f"{where}: the id is there twice")
        else:
            try:
                height, width = (float(row.get(side) or 0) for side in ("height", "width"))
                listed[row["id"]] = images / row["file_name"], (int(height), int(width))
            except (OverflowError, TypeError, ValueError):
                problems.append(f"{where}: height and width must be numbers, and file_name text")
    sizes = read_sizes([path for path, _ in listed.values()], problems)
    found = {}
    for (key, (path, wanted)), size in zip(listed.items(), sizes, strict=True):
        if size and has_size(path, size, wanted, f"{file}: image {key}", problems):
            found[key] = path, size
    return found


#% if annotations.masks
def read_shape(segmentation: Any, size: Size, where: str, problems: list[str]) -> Any:
    """Read polygons as arrays of x, y, x, y, ..., or compressed RLE.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: if there is neither.
    """
    if isinstance(segmentation, list):
        polygons = [p for p in map(read_polygon, segmentation) if p is not None]
        if not polygons:
            raise ValueError("a polygon is x, y, x, y, ... of three points or more")
        if bad := len(segmentation) - len(polygons):
            there = f"{bad} of {len(segmentation)} polygons cannot be drawn"
            problems.append(f"{where}: {there}; each needs three points or more")
        return polygons
    if list(segmentation["size"]) != list(size):
        raise ValueError(f"RLE of {segmentation['size']} in an image of {list(size)}")
    if isinstance(segmentation["counts"], list):
        segmentation = rle.frPyObjects(segmentation, *size)
    rle.decode(segmentation)  # which fails if it has not as many pixels as the image
    return segmentation


def read_polygon(numbers: Any) -> Any:
    """Return x, y, x, y, ... as an array; None if they are no polygon."""
    try:
        polygon = np.array(numbers, np.float64)
    except (TypeError, ValueError):
        return None
    fits = polygon.ndim == 1 and len(polygon) >= 6 and len(polygon) % 2 == 0
    return polygon if fits and np.isfinite(polygon).all() else None


def bound(shape: Any) -> list[float]:
    """Return x, y, width and height of polygons, or of RLE."""
    if not isinstance(shape, list):
        return rle.toBbox(shape).tolist()
    points = np.concatenate(shape).reshape(-1, 2)
    return [*points.min(0), *np.ptp(points, 0)]


#% include "detection/annotations/polygons.py"
#% else
def bound(segmentation: Any, size: Size) -> list[float]:
    """Return x, y, width and height of polygons, x, y, x, y, ... each, or of RLE."""
    if isinstance(segmentation, list):
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in segmentation])
        return [*points.min(0), *np.ptp(points, 0)]
    if list(segmentation["size"]) != list(size):
        raise ValueError(f"RLE of {segmentation['size']} in an image of {list(size)}")
    if isinstance(segmentation["counts"], list):
        segmentation = rle.frPyObjects(segmentation, *size)
    rle.decode(segmentation)  # which fails if it has not as many pixels as the image
    return rle.toBbox(segmentation).tolist()
#% endif
