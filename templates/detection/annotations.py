"""The images, and their objects as annotated."""

import glob
import json
import math
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import faster_coco_eval.core.mask as rle
import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

{{ annotations.data_dir }}
CLASSES = {{ annotations.classes | list }}
NUM_CLASSES = len(CLASSES)
#% for setting in annotations.settings
{{ setting }}
#% endfor
QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints

Size = tuple[int, int]  # height and width of an image, in pixels
#% if annotations.areas and annotations.polygons
Object = tuple[list[float], int, bool, float, Any]  # its box, label, crowd, area, shape
#% elif annotations.areas
Object = tuple[list[float], int, bool, float]  # its box, label, crowd, and area
#% elif annotations.polygons
Object = tuple[list[float], int, bool, Any]  # its box, label, crowd, and shape
#% elif annotations.numbered
Object = tuple[list[float], int, bool, int]  # its box, label, crowd, and number
#% else
Object = tuple[list[float], int, bool]  # its box, label, and whether it is a crowd
#% endif


@dataclass
class Record:
    """An image, and the N objects in it."""

    file: Path
    height: int  # pixels, upright as EXIF data say
    width: int
    boxes: Tensor  # float32 [N, 4]: x1, y1, x2, y2 in pixels
    labels: Tensor  # int64 [N]: indices into CLASSES
    crowd: Tensor  # bool [N]: not trained on, and detecting one is no error
    #% if annotations.areas
    areas: Tensor  # float64 [N], pixels: small, medium or large in COCO's metrics
    #% endif
    #% if annotations.polygons
    shapes: list[Any]  # [N]: the polygons of an object, or the RLE of its pixels
    #% endif
    #% if annotations.numbered
    mask_file: Path
    numbers: Tensor  # int32 [N]: the value of an object's pixels in it
    #% endif
    #% if annotations.ids
    #% if annotations.several_val
    source: Path  # the JSON file
    #% endif
    image_id: int  # in the JSON file
    category_ids: dict[int, int]  # in the JSON file, by label
    #% endif


#% include "shared/data_folder.py"


def read_datasets(root: Path) -> tuple[list[Record], list[Record]]:
    #% if annotations.keep_empty
    """Read the training and validation images.

    #% if not annotations.fix
    Raises:
        ValueError: names the annotations that are wrong.
    #% endif
    """
    #% else
    """Read the training images, each with objects, and the validation images.

    Raises:
    #% if annotations.fix
        ValueError: if no image remains to train on.
    #% else
        ValueError: names the annotations that are wrong.
    #% endif
    """
    #% endif
    problems: list[str] = []
    #% if annotations.val
    train = {{ annotations.train }}
    val = read_val(root, problems)
    #% else
    records = {{ annotations.train }}
    #% endif
    report(problems)
    #% if annotations.several and annotations.val
    check_classes(train)
    #% elif annotations.several
    check_classes(records)
    #% endif
    #% if not annotations.val
    #% if annotations.groups
    train, val = split(records, {{ annotations.groups }})
    #% else
    train, val = split(records)
    #% endif
    #% endif
    #% if not annotations.keep_empty
    train = [record for record in train if not record.crowd.all()]
    if not train:
        raise ValueError(f"{root}: no image to train on has an object of CLASSES")
    #% endif
    return train, val


#% if annotations.val
def read_val(root: Path, problems: list[str]) -> list[Record]:
    """Read the images to validate on."""
    #% if annotations.several
    records = {{ annotations.val }}
    check_classes(records)
    return records
    #% else
    return {{ annotations.val }}
    #% endif


#% endif
#% if annotations.test
def read_test(root: Path, problems: list[str]) -> list[Record]:
    """Read the images to test on at the end, which training never sees."""
    #% if annotations.several
    records = {{ annotations.test }}
    check_classes(records)
    return records
    #% else
    return {{ annotations.test }}
    #% endif


#% endif
#% if annotations.groups
#% include "shared/choose_groups.py"


def split(
    records: list[Record], groups: list[str]
) -> tuple[list[Record], list[Record]]:
    """Take whole groups for validation, about VAL_FRACTION of each class."""
    labels = [record.labels.unique().tolist() or [NUM_CLASSES] for record in records]
    chosen = choose_groups(groups, labels)
    pairs = [*zip(records, groups, strict=True)]
    train = [record for record, group in pairs if group not in chosen]
    return train, [record for record, group in pairs if group in chosen]


#% elif not annotations.val
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


#% endif
def report(problems: list[str], shown: int = 20) -> None:
    #% if annotations.fix
    """Print which annotations are wrong, and so left out or mended."""
    if problems and not QUIET:
        first = f"{len(problems)} wrong annotations, left out or mended:"
        more = [f"and {len(problems) - shown} more"] * (len(problems) > shown)
        print(first, *problems[:shown], *more, sep="\n", file=sys.stderr)
    #% else
    """Stop if annotations are wrong.

    Raises:
        ValueError: names them.
    """
    if problems:
        if len(problems) > shown:
            problems = [*problems[:shown], f"and {len(problems) - shown} more"]
        raise ValueError("\n".join(["annotations are wrong; mend or remove:", *problems]))
    #% endif


def read_sizes(files: list[Path], problems: list[str]) -> list[Size | None]:
    """Return height and width of each image; None for those that cannot be read."""
    sizes: list[Size | None] = []
    for header in read_headers(files):
        if isinstance(header, str):
            problems.append(header)
        sizes.append(None if isinstance(header, str) else header)
    return sizes


#% include "shared/headers.py"


#% if annotations.sizes
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


#% endif
#% if annotations.reads_lines
def read_lines(file: Path) -> list[str]:
    """Read the lines of a text file.

    Raises:
        ValueError: if it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: must be UTF-8 ({error})") from error


#% endif
#% if annotations.cuts
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


#% endif
def build_record(
    file: Path,
    size: Size,
    objects: list[Object]
    #% if annotations.numbered
    , mask_file: Path
    #% endif
    #% if annotations.several_val
    , source: Path
    #% endif
    #% if annotations.ids
    , image_id: int, ids: dict[int, int]
    #% endif
) -> Record:
    boxes = torch.tensor([row[0] for row in objects], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([row[1] for row in objects], dtype=torch.int64)
    crowd = torch.tensor([row[2] for row in objects], dtype=torch.bool)
    #% if annotations.min_size
    crowd |= (boxes[:, 2:] - boxes[:, :2]).amin(1) < MIN_SIZE
    #% endif
    #% if annotations.areas
    areas = torch.tensor([row[3] for row in objects], dtype=torch.float64)
    #% if annotations.polygons
    shapes = [row[4] for row in objects]
    #% if annotations.several_val
    return Record(file, *size, boxes, labels, crowd, areas, shapes, source, image_id, ids)
    #% else
    return Record(file, *size, boxes, labels, crowd, areas, shapes, image_id, ids)
    #% endif
    #% elif annotations.several_val
    return Record(file, *size, boxes, labels, crowd, areas, source, image_id, ids)
    #% else
    return Record(file, *size, boxes, labels, crowd, areas, image_id, ids)
    #% endif
    #% elif annotations.polygons
    shapes = [row[3] for row in objects]
    return Record(file, *size, boxes, labels, crowd, shapes)
    #% elif annotations.numbered
    numbers = torch.tensor([row[3] for row in objects], dtype=torch.int32)
    return Record(file, *size, boxes, labels, crowd, mask_file, numbers)
    #% else
    return Record(file, *size, boxes, labels, crowd)
    #% endif


#% include "shared/is_image_file.py"


#% include annotations.template
