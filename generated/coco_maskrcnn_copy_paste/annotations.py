"""The images, and their objects as annotated."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faster_coco_eval.core.mask as rle
import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

DATA_DIR = "data/parts"
CLASSES = ["__background__", "bolt", "nut", "washer"]
NUM_CLASSES = len(CLASSES)
VAL_FRACTION = 0.2  # of the images, to validate on
VAL_SEED = 0  # decides which
QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints

Object = tuple[list[float], int, bool, float, Any]  # its box, label, crowd, area, shape


@dataclass
class Record:
    """An image, and the N objects in it."""

    file: Path
    height: int  # pixels, upright as EXIF data say
    width: int
    boxes: Tensor  # float32 [N, 4]: x1, y1, x2, y2 in pixels
    labels: Tensor  # int64 [N]: indices into CLASSES
    crowd: Tensor  # bool [N]: not trained on, and detecting one is no error
    areas: Tensor  # float64 [N], pixels: small, medium or large in COCO's metrics
    shapes: list[Any]  # [N]: the polygons of an object, or the RLE of its pixels
    image_id: int  # in the JSON file
    category_ids: dict[int, int]  # in the JSON file, by label


def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(
            f"{path}: no such folder in {Path.cwd()}; name it by --data DIR"
        )
    return Path(path)


def read_datasets(root: Path) -> tuple[list[Record], list[Record]]:
    """Read the training images, each with objects, and the validation images.

    Raises:
        ValueError: names the annotations that are wrong.
    """
    problems: list[str] = []
    records = read_records(root / "images", root / "annotations.json", problems)
    report(problems)
    train, val = split(records)
    train = [record for record in train if not record.crowd.all()]
    if not train:
        raise ValueError(f"{root}: no image to train on has an object of CLASSES")
    return train, val


def split(records: list[Record]) -> tuple[list[Record], list[Record]]:
    """Take VAL_FRACTION of the images for validation, in every run the same ones.

    Raises:
        ValueError: if the images are too few for that.
    """
    generator = torch.Generator().manual_seed(VAL_SEED)
    order = torch.randperm(len(records), generator=generator).tolist()
    count = round(VAL_FRACTION * len(records))
    if not 0 < count < len(records):
        raise ValueError(f"{len(records)} images are too few to validate on some")
    train, val = sorted(order[count:]), sorted(order[:count])
    return [records[index] for index in train], [records[index] for index in val]


def report(problems: list[str], shown: int = 20) -> None:
    """Stop if annotations are wrong.

    Raises:
        ValueError: names them.
    """
    if problems:
        if len(problems) > shown:
            problems = [*problems[:shown], f"and {len(problems) - shown} more"]
        raise ValueError(
            "\n".join(["annotations are wrong; mend or remove:", *problems])
        )


def read_sizes(files: list[Path], problems: list[str]) -> list[tuple[int, int] | None]:
    """Height and width of each image; None for those that are none."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(read_size, files)
        silent = QUIET or None  # or where there is no terminal
        sizes = list(tqdm(found, "images", len(files), leave=False, disable=silent))
    for file, size in zip(files, sizes, strict=True):
        if size is None:
            fault = "not a readable image" if file.exists() else "no such image"
            problems.append(f"{file}: {fault}")
    return sizes


def read_size(file: Path) -> tuple[int, int] | None:
    """Height and width of an image, upright as its EXIF data say."""
    try:
        with Image.open(file) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return (width, height) if turned else (height, width)
    except Exception:  # each decoder has its own
        return None


def has_size(
    file: Path,
    size: tuple[int, int],
    wanted: tuple[int, int],
    where: str,
    problems: list[str],
) -> bool:
    """Whether an image of height and width `size` has those that annotations are for.

    Those may be in the wrong order, as many tools write them; zeros are not known.
    """
    if 0 in wanted or size == wanted:
        return True
    with Image.open(file) as image:
        turned = image.size[::-1] != size
    if size == wanted[::-1] and not turned:
        return True
    found = f"{file} has {size[1]} x {size[0]}" + ", turned by its EXIF data" * turned
    problems.append(f"{where}: is for {wanted[1]} x {wanted[0]} pixels, but {found}")
    return False


def cut_box(
    box: list[float], size: tuple[int, int], where: str, problems: list[str]
) -> list[float] | None:
    """Cut a box to an image of height and width `size`; None if nothing remains."""
    x1, y1, x2, y2 = box
    height, width = size
    cut: list[float] | None
    cut = [max(x1, 0.0), max(y1, 0.0), min(x2, width), min(y2, height)]
    if not all(map(math.isfinite, box)):
        fault, cut = "is not finite", None
    elif cut[0] >= cut[2] or cut[1] >= cut[3]:
        fault, cut = "has no area in the image", None
    elif any(abs(a - b) > 1 for a, b in zip(box, cut, strict=True)):
        fault = "leaves the image"
    else:
        return cut
    corners = f"from {x1:g}, {y1:g} to {x2:g}, {y2:g}"
    problems.append(f"{where}: the box {corners} {fault} ({width} x {height} pixels)")
    return cut


def build_record(
    file: Path,
    size: tuple[int, int],
    objects: list[Object],
    image_id: int,
    category_ids: dict[int, int],
) -> Record:
    boxes = torch.tensor([row[0] for row in objects], dtype=torch.float32).reshape(
        -1, 4
    )
    labels = torch.tensor([row[1] for row in objects], dtype=torch.int64)
    crowd = torch.tensor([row[2] for row in objects], dtype=torch.bool)
    areas = torch.tensor([row[3] for row in objects], dtype=torch.float64)
    shapes = [row[4] for row in objects]
    return Record(
        file, *size, boxes, labels, crowd, areas, shapes, image_id, category_ids
    )


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


MIXED = ", but that id as text or as a number; write all ids as numbers"


def read_records(images: Path, file: Path, problems: list[str]) -> list[Record]:
    """Read the images of a COCO file, in its order, and their objects.

    Raises:
        ValueError: if it is not a COCO file, or lacks some of CLASSES.
    """
    try:
        content = json.loads(file.read_bytes())
        names = {row["id"]: str(row["name"]) for row in content["categories"]}
        rows, annotations = content["images"], content["annotations"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not JSON as COCO has it ({error!r})") from error
    if missing := set(CLASSES[1:]) - set(names.values()):
        raise ValueError(f"{file}: no category has the name {sorted(missing)}")
    labels = {
        key: CLASSES.index(name) for key, name in names.items() if name in CLASSES
    }

    found = find_images(images, file, rows, problems)
    known = {row.get("id") for row in rows}
    texts = {str(key) for key in known}
    seen = set()
    objects: dict[Any, list[Object]] = {key: [] for key in found}
    for number, annotation in enumerate(annotations):
        where = f"{file}: annotation {annotation.get('id', f'number {number}')}"
        needed = {"id", "image_id", "category_id", "bbox", "segmentation"}
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
            continue
        elif image_id in found:
            _, size = found[image_id]
            try:
                x, y, width, height = map(float, annotation["bbox"])
                area = float(annotation.get("area", width * height))
                shape = read_shape(annotation["segmentation"], size)
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                wanted = "a bbox and a segmentation as COCO has them"
                problems.append(f"{where}: must have {wanted} ({error})")
                continue
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = annotation.get("iscrowd") in (1, "1")
                objects[image_id].append((box, labels[category], crowd, area, shape))
    ids = {label: key for key, label in labels.items()}
    return [build_record(*found[key], objects[key], key, ids) for key in found]


def find_images(
    images: Path, file: Path, rows: list[dict[str, Any]], problems: list[str]
) -> dict[Any, tuple[Path, tuple[int, int]]]:
    """Find each image's file, height and width, by the ids of a COCO file."""
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
            height, width = (float(row.get(side) or 0) for side in ("height", "width"))
        except (TypeError, ValueError):
            problems.append(f"{where}: height and width must be numbers")
            continue
        paths[row["id"]] = images / row["file_name"]
        sizes[row["id"]] = int(height), int(width)
    found = {}
    for key, size in zip(
        paths, read_sizes(list(paths.values()), problems), strict=True
    ):
        where = f"{file}: image {key}"
        if size and has_size(paths[key], size, sizes[key], where, problems):
            found[key] = paths[key], size
    return found


def read_shape(segmentation: Any, size: tuple[int, int]) -> Any:
    """Parse a segmentation: polygons become arrays of x, y, ..., RLE is compressed.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: if it is neither.
    """
    if isinstance(segmentation, list):
        polygons = [np.array(polygon, np.float64) for polygon in segmentation]
        if not polygons or any(p.ndim != 1 or len(p) % 2 for p in polygons):
            raise ValueError("a polygon is x, y, x, y, ...")
        if any(len(p) < 6 or not np.isfinite(p).all() for p in polygons):
            raise ValueError("a polygon has three points or more, all finite")
        return polygons
    if list(segmentation["size"]) != list(size):
        raise ValueError(f"RLE of {segmentation['size']} in an image of {list(size)}")
    if isinstance(segmentation["counts"], list):
        segmentation = rle.frPyObjects(segmentation, *size)
    rle.decode(segmentation)  # which fails if it has not as many pixels as the image
    return segmentation


def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width].

    Raises:
        ValueError: if one cannot be made.
    """
    size = record.height, record.width
    masks = torch.zeros(len(record.shapes), *size, dtype=torch.uint8)
    for mask, shape in zip(masks, record.shapes, strict=True):
        try:
            if isinstance(shape, list):
                shape = rle.merge(rle.frPyObjects(shape, *size))
            mask.copy_(torch.from_numpy(rle.decode(shape)))
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{record.file}: no mask can be made: {error}") from error
    return masks


def encode_shapes(record: Record) -> list[dict[str, Any]]:
    """Encode the objects' masks as compressed RLE, without drawing polygons.

    Raises:
        ValueError: if one cannot be made.
    """
    encoded = []
    for shape in record.shapes:
        try:
            if isinstance(shape, list):
                polygons = rle.frPyObjects(shape, record.height, record.width)
                encoded.append(rle.merge(polygons))
            else:
                rle.decode(shape)  # which raises where it is malformed
                encoded.append(shape)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{record.file}: no mask can be made: {error}") from error
    return encoded
