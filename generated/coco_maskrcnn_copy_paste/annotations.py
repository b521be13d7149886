"""The images, and their objects as annotated."""

import json
import math
import os
from collections.abc import Sequence
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

Size = tuple[int, int]  # height and width of an image, in pixels
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


def read_sizes(files: list[Path], problems: list[str]) -> list[Size | None]:
    """Return height and width of each image; None for those that cannot be read."""
    sizes: list[Size | None] = []
    for header in read_headers(files):
        if isinstance(header, str):
            problems.append(header)
        sizes.append(None if isinstance(header, str) else header)
    return sizes


# How whole files end. Pillow itself notices a cut WebP when it opens one.
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}


def read_headers(files: Sequence[str | Path]) -> list[tuple[int, int] | str]:
    """Look at all images before training begins; see `read_header`."""
    silent = QUIET or None  # or where there is no terminal
    with ThreadPoolExecutor() as pool:
        found = pool.map(read_header, files)
        return list(tqdm(found, "images", len(files), leave=False, disable=silent))


def read_header(file: str | Path) -> tuple[int, int] | str:
    """Return height and width of an upright image, or what keeps it from being read.

    A file that does not end as a whole one is decoded: it is cut, or something follows.
    """
    try:
        with open(file, "rb") as content:
            content.seek(-8, os.SEEK_END)
            end = content.read()
            with Image.open(content) as image:
                if image.mode in ("I", "F"):
                    return f"{file}: 32 bits a channel; save it with 8 or 16"
                width, height = image.size
                exif = Image.Image.getexif(image)  # that of PNG would decode the image
                turned = exif.get(ExifTags.Base.Orientation, 1) >= 5
                if not end.endswith(ENDS.get(image.format or "", b"")):
                    image.load()
                return (width, height) if turned else (height, width)
    except FileNotFoundError:
        return f"{file}: no such image"
    except Exception:  # each decoder has its own
        return f"{file}: not a readable image"


def has_size(
    file: Path, size: Size, wanted: Size, where: str, problems: list[str]
) -> bool:
    """Return whether an image has the height and width that annotations are for.

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
    box: list[float], size: Size, where: str, problems: list[str]
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
    file: Path, size: Size, objects: list[Object], image_id: int, ids: dict[int, int]
) -> Record:
    boxes = torch.tensor([row[0] for row in objects], dtype=torch.float32).reshape(
        -1, 4
    )
    labels = torch.tensor([row[1] for row in objects], dtype=torch.int64)
    crowd = torch.tensor([row[2] for row in objects], dtype=torch.bool)
    areas = torch.tensor([row[3] for row in objects], dtype=torch.float64)
    shapes = [row[4] for row in objects]
    return Record(file, *size, boxes, labels, crowd, areas, shapes, image_id, ids)


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


MIXED = ", but that id as text or as a number; write all ids as numbers"
WANTED = "a bbox and a segmentation as COCO has them"


def read_records(images: Path, file: Path, problems: list[str]) -> list[Record]:
    """Read the images of a COCO file, in its order, and their objects.

    Raises:
        ValueError: if it is not a COCO file, or lacks some of CLASSES.
    """
    try:
        content = json.loads(file.read_bytes())
        names = {row["id"]: str(row["name"]).strip() for row in content["categories"]}
        rows, annotations = content["images"], content["annotations"]
        for row in [*rows, *annotations]:  # with ids that can be looked up
            hash((row.get("id"), row.get("image_id"), row.get("category_id")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
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
            continue
        elif image_id in found:
            _, size = found[image_id]
            if not annotation.get("segmentation"):
                there = ", only a bbox" if annotation.get("bbox") else ""
                problems.append(f"{where}: no segmentation{there}")
                continue
            try:
                shape = read_shape(annotation["segmentation"], size, where, problems)
                x, y, width, height = map(float, annotation.get("bbox") or bound(shape))
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                problems.append(f"{where}: must have {WANTED} ({error})")
                continue
            area = annotation.get("area")
            area = width * height if area is None else read_number(area)
            if math.isfinite(width * height) and not math.isfinite(area):
                problems.append(
                    f"{where}: area must be a number, not {annotation['area']!r}"
                )
                continue
            iscrowd = annotation.get("iscrowd")
            if iscrowd not in (None, 0, 1, "0", "1"):
                problems.append(f"{where}: iscrowd must be 0 or 1, not {iscrowd!r}")
                continue
            wide |= x + width > size[1] + 1 or y + height > size[0] + 1
            corners &= x < width <= size[1] + 1 and y < height <= size[0] + 1
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = iscrowd in (1, "1")
                objects[image_id].append((box, labels[category], crowd, area, shape))
    if wide and corners:
        fault = "the boxes look like [x1, y1, x2, y2]; a bbox is [x, y, width, height]"
        problems.insert(0, f"{file}: {fault}")
    ids = {label: key for key, label in labels.items()}
    return [build_record(*found[key], objects[key], key, ids) for key in found]


def read_number(value: Any) -> float:
    """Return a number, also of text; NaN if there is none."""
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan


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
                height, width = (
                    float(row.get(side) or 0) for side in ("height", "width")
                )
                listed[row["id"]] = images / row["file_name"], (int(height), int(width))
            except (OverflowError, TypeError, ValueError):
                problems.append(
                    f"{where}: height and width must be numbers, and file_name text"
                )
    sizes = read_sizes([path for path, _ in listed.values()], problems)
    found = {}
    for (key, (path, wanted)), size in zip(listed.items(), sizes, strict=True):
        if size and has_size(path, size, wanted, f"{file}: image {key}", problems):
            found[key] = path, size
    return found


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


def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width]."""
    masks = torch.zeros(
        len(record.shapes), record.height, record.width, dtype=torch.uint8
    )
    for mask, shape in zip(masks, encode_shapes(record), strict=True):
        mask.copy_(torch.from_numpy(rle.decode(shape)))
    return masks


def encode_shapes(record: Record) -> list[dict[str, Any]]:
    """Encode the objects' masks as compressed RLE, without drawing polygons."""
    encoded = []
    for shape in record.shapes:
        if isinstance(shape, list):
            shape = rle.merge(rle.frPyObjects(shape, record.height, record.width))
        encoded.append(shape)
    return encoded
