"""The images, and the objects that annotations say are in them."""

import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

DATA_DIR = "data/coco"
CLASSES = [
    "__background__",
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
]
NUM_CLASSES = len(CLASSES)
QUIET = os.environ.get("RANK", "0") != "0"  # one process speaks for all

Object = tuple[list[float], int, bool, float]  # its box, label, crowd, and area


@dataclass
class Record:
    """An image, and the N objects in it."""

    file: Path
    height: int  # pixels, upright as EXIF data say
    width: int
    boxes: Tensor  # float32 [N, 4]: x1, y1, x2, y2 in pixels
    labels: Tensor  # int64 [N]: indices into CLASSES
    crowd: Tensor  # bool [N]: neither trained on nor an error when found
    areas: Tensor  # float64 [N]: in pixels; by them COCO tells small from large


def read_datasets(root: Path) -> tuple[list[Record], list[Record]]:
    """The images to train on, which all have objects, and those to validate on.

    Raises:
        ValueError: if nothing is left to train on.
    """
    problems: list[str] = []
    train = read_records(
        root / "train2017", root / "annotations/instances_train2017.json", problems
    )
    val = read_records(
        root / "val2017", root / "annotations/instances_val2017.json", problems
    )
    report(problems)
    train = [record for record in train if not record.crowd.all()]
    if not train:
        raise ValueError(f"{root}: no image to train on has an object of CLASSES")
    return train, val


def report(problems: list[str], shown: int = 20) -> None:
    """Say which annotations are wrong, and so left out or mended."""
    if problems and not QUIET:
        print(
            f"{len(problems)} wrong annotations, left out or mended:", file=sys.stderr
        )
        print(*problems[:shown], sep="\n", file=sys.stderr)
        if len(problems) > shown:
            print(f"and {len(problems) - shown} more", file=sys.stderr)


def cut_box(
    box: list[float], size: tuple[int, int], where: str, problems: list[str]
) -> list[float] | None:
    """The part of a box that is in an image of height and width `size`, if any is."""
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


def build_record(file: Path, size: tuple[int, int], objects: list[Object]) -> Record:
    boxes = torch.tensor([it[0] for it in objects], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([it[1] for it in objects], dtype=torch.int64)
    crowd = torch.tensor([it[2] for it in objects], dtype=torch.bool)
    areas = torch.tensor([it[3] for it in objects], dtype=torch.float64)
    return Record(file, *size, boxes, labels, crowd, areas)


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
    if missing := set(CLASSES[1:]) - set(names.values()):
        raise ValueError(f"{file}: no category has the name {sorted(missing)}")
    labels = {
        key: CLASSES.index(name) for key, name in names.items() if name in CLASSES
    }

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
        needed = {"id", "image_id", "category_id", "bbox"}
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
            continue
        elif image_id in found:
            _, size = found[image_id]
            try:
                x, y, width, height = map(float, annotation["bbox"])
                area = float(annotation.get("area", width * height))
            except (KeyError, TypeError, ValueError) as error:
                wanted = "a bbox of four numbers"
                problems.append(f"{where}: must have {wanted} ({error})")
                continue
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                crowd = bool(annotation.get("iscrowd"))
                objects[image_id].append((box, labels[category], crowd, area))
    return [build_record(*found[key], objects[key]) for key in found]
