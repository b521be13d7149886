"""The images, and their objects as annotated."""

import glob
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

DATA_DIR = "data/helmets"
CLASSES = ["__background__", "helmet", "vest", "no helmet"]
NUM_CLASSES = len(CLASSES)
NAMES = CLASSES[1:]  # by their numbers in files of labels
QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints

Size = tuple[int, int]  # height and width of an image, in pixels
Object = tuple[list[float], int, bool]  # its box, label, and whether it is a crowd


@dataclass
class Record:
    """An image, and the N objects in it."""

    file: Path
    height: int  # pixels, upright as EXIF data say
    width: int
    boxes: Tensor  # float32 [N, 4]: x1, y1, x2, y2 in pixels
    labels: Tensor  # int64 [N]: indices into CLASSES
    crowd: Tensor  # bool [N]: not trained on, and detecting one is no error


def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(
            f"{path}: no such folder in {Path.cwd()}; name it by --data DIR"
        )
    return Path(path)


def read_datasets(root: Path) -> tuple[list[Record], list[Record]]:
    """Read the training and validation images."""
    problems: list[str] = []
    train = read_records(find_images(root / "images/train"), problems)
    val = read_val(root, problems)
    report(problems)
    return train, val


def read_val(root: Path, problems: list[str]) -> list[Record]:
    """Read the images to validate on."""
    return read_records(find_images(root / "images/val"), problems)


def report(problems: list[str], shown: int = 20) -> None:
    """Print which annotations are wrong, and so left out or mended."""
    if problems and not QUIET:
        first = f"{len(problems)} wrong annotations, left out or mended:"
        more = [f"and {len(problems) - shown} more"] * (len(problems) > shown)
        print(first, *problems[:shown], *more, sep="\n", file=sys.stderr)


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


def read_lines(file: Path) -> list[str]:
    """Read the lines of a text file.

    Raises:
        ValueError: if it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: must be UTF-8 ({error})") from error


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


def build_record(file: Path, size: Size, objects: list[Object]) -> Record:
    boxes = torch.tensor([row[0] for row in objects], dtype=torch.float32).reshape(
        -1, 4
    )
    labels = torch.tensor([row[1] for row in objects], dtype=torch.int64)
    crowd = torch.tensor([row[2] for row in objects], dtype=torch.bool)
    return Record(file, *size, boxes, labels, crowd)


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


def find_images(folder: Path) -> list[Path]:
    """List the images in a folder and in those in it, without hidden ones.

    Raises:
        ValueError: if there are none.
    """
    names = glob.glob("**", root_dir=folder, recursive=True)
    images = sorted(folder / name for name in names if is_image_file(name))
    if not images:
        raise ValueError(f"{folder}: no images")
    return images


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
            if len(values) < 4 or len(values) % 2:
                wanted = "x, y, width and height, or x and y of three points or more"
                problems.append(f"{where}: must be a class, and {wanted}")
                continue
            if key not in range(len(NAMES)):
                problems.append(f"{where}: no class {key:g}; there are {len(NAMES)}")
                continue
            points = np.reshape(values, (-1, 2)) * (width, height)
            low, high = points.min(0), points.max(0)
            if len(points) == 2:
                low, high = points[0] - points[1] / 2, points[0] + points[1] / 2
            if box := cut_box([*low.tolist(), *high.tolist()], size, where, problems):
                label = CLASSES.index(NAMES[int(key)])
                objects.append((box, label, False))
        records.append(build_record(image, size, objects))
    return records
