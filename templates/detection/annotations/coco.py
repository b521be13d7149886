def read_records(images: Path, file: Path, problems: list[str]) -> list[Record]:
    """The images of a COCO file, in its order, and their objects.

    Raises:
        ValueError: if it is no such file, or has not all CLASSES.
    """
    try:
        content = json.loads(file.read_bytes())
        names = {it["id"]: it["name"] for it in content["categories"]}
        rows, annotations = content["images"], content["annotations"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not JSON as COCO has it ({error!r})") from error
    if missing := set({{ annotations.named }}) - set(names.values()):
        raise ValueError(f"{file}: no category has the name {sorted(missing)}")
    labels = {key: CLASSES.index(name) for key, name in names.items() if name in CLASSES}

    found: dict[int, tuple[Path, tuple[int, int]]] = {}
    for number, row in enumerate(rows):
        where = f"{file}: image {row.get('id', f'number {number}')}"
        if absent := {"id", "file_name", "height", "width"} - row.keys():
            problems.append(f"{where}: no {', '.join(sorted(absent))}")
        elif row["id"] in found:
            problems.append(f"{where}: the id is there twice")
        elif not all(isinstance(row[it], int) for it in ("height", "width")):
            problems.append(f"{where}: height and width must be whole numbers")
        elif not (image := images / row["file_name"]).is_file():
            problems.append(f"{where}: no such image: {image}")
        else:
            found[row["id"]] = image, (row["height"], row["width"])

    known = {row.get("id") for row in rows}
    seen = set()
    objects: dict[int, list[Object]] = {key: [] for key in found}
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
            problems.append(f"{where}: no image {image_id}")
        elif category not in names:
            problems.append(f"{where}: no category {category}")
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
            except (KeyError, TypeError, ValueError) as error:
                #% if annotations.masks
                wanted = "a bbox and a segmentation as COCO has them"
                #% else
                wanted = "a bbox of four numbers"
                #% endif
                problems.append(f"{where}: must have {wanted} ({error})")
                continue
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = bool(annotation.get("iscrowd"))
                #% if annotations.masks
                objects[image_id].append((box, labels[category], crowd, area, shape))
                #% else
                objects[image_id].append((box, labels[category], crowd, area))
                #% endif
    ids = {label: key for key, label in labels.items()}
    return [build_record(*found[key], objects[key], key, ids) for key in found]
#% if annotations.masks


def read_shape(segmentation: Any, size: tuple[int, int]) -> Any:
    """Polygons as arrays of x, y, x, y, ..., or compressed RLE.

    Raises:
        KeyError, TypeError, ValueError: if it is neither.
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
        return rle.frPyObjects(segmentation, *size)
    return segmentation


#% include "detection/annotations/polygons.py"
#% endif
