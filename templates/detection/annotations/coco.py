MIXED = ", but that id as text or as a number; write all ids as numbers"


def read_records(images: Path, file: Path, problems: list[str]) -> list[Record]:
    """The images of a COCO file, in its order, and their objects.

    Raises:
    #% if annotations.several
        ValueError: if it is no such file.
    #% else
        ValueError: if it is no such file, or has not all CLASSES.
    #% endif
    """
    try:
        content = json.loads(file.read_bytes())
        names = {it["id"]: str(it["name"]) for it in content["categories"]}
        rows, annotations = content["images"], content["annotations"]
    except (KeyError, TypeError, ValueError) as error:
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
    objects: dict[Any, list[Object]] = {key: [] for key in found}
    for number, annotation in enumerate(annotations):
        where = f"{file}: annotation {annotation.get('id', f'number {number}')}"
        #% if annotations.masks
        needed = {"id", "image_id", "category_id", "bbox", "segmentation"}
        #% else
        needed = {"id", "image_id", "category_id", "bbox"}
        #% endif
        if absent := needed - annotation.keys():
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
            try:
                x, y, width, height = map(float, annotation["bbox"])
                area = float(annotation.get("area", width * height))
                #% if annotations.masks
                shape = read_shape(annotation["segmentation"], size)
                #% endif
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                #% if annotations.masks
                wanted = "a bbox and a segmentation as COCO has them"
                #% else
                wanted = "a bbox of four numbers"
                #% endif
                problems.append(f"{where}: must have {wanted} ({error})")
                continue
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = annotation.get("iscrowd") in (1, "1")
                #% if annotations.masks
                objects[image_id].append((box, labels[category], crowd, area, shape))
                #% else
                objects[image_id].append((box, labels[category], crowd, area))
                #% endif
    ids = {label: key for key, label in labels.items()}
    #% if annotations.several_val
    return [build_record(*found[key], objects[key], file, key, ids) for key in found]
    #% else
    return [build_record(*found[key], objects[key], key, ids) for key in found]
    #% endif


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
) -> dict[Any, tuple[Path, tuple[int, int]]]:
    """Each image's file, height and width, by the ids of a COCO file."""
    paths: dict[Any, Path] = {}
    sizes: dict[Any, tuple[int, int]] = {}  # as the file says, zeros where it does not
    for number, row in enumerate(rows):
        where = f"{file}: image {row.get('id', f'number {number}')}"
        if absent := {"id", "file_name"} - row.keys():
            problems.append(f"{where}: no {', '.join(sorted(absent))}")
            continue
        if row["id"] in paths:
            problems.append(f"{where}: the id is there twice")
            continue
        try:
            height, width = (float(row.get(it) or 0) for it in ("height", "width"))
        except (TypeError, ValueError):
            problems.append(f"{where}: height and width must be numbers")
            continue
        paths[row["id"]] = images / row["file_name"]
        sizes[row["id"]] = int(height), int(width)
    found = {}
    for key, size in zip(paths, read_sizes(list(paths.values()), problems), strict=True):
        where = f"{file}: image {key}"
        if size and has_size(paths[key], size, sizes[key], where, problems):
            found[key] = paths[key], size
    return found
#% if annotations.masks


def read_shape(segmentation: Any, size: tuple[int, int]) -> Any:
    """Polygons as arrays of x, y, x, y, ..., or compressed RLE.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: if it is neither.
    """
    if isinstance(segmentation, list):
        polygons = [np.array(it, np.float64) for it in segmentation]
        if not polygons or any(it.ndim != 1 or len(it) % 2 for it in polygons):
            raise ValueError("a polygon is x, y, x, y, ...")
        if any(len(it) < 6 or not np.isfinite(it).all() for it in polygons):
            raise ValueError("a polygon has three points or more, all finite")
        return polygons
    if list(segmentation["size"]) != list(size):
        raise ValueError(f"RLE of {segmentation['size']} in an image of {list(size)}")
    if isinstance(segmentation["counts"], list):
        segmentation = rle.frPyObjects(segmentation, *size)
    rle.decode(segmentation)  # which fails if it has not as many pixels as the image
    return segmentation


#% include "detection/annotations/polygons.py"
#% endif
