"""The images, and their objects as annotated."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from PIL import ExifTags, Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

DATA_DIR = "data/WIDER"
CLASSES = ["face"]
NUM_CLASSES = len(CLASSES)
MIN_SIZE = 8.0  # pixels of a side, below which an object does not count
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
    """Read the training images, each with objects, and the validation images.

    Raises:
        ValueError: names the annotations that are wrong.
    """
    problems: list[str] = []
    train = read_records(root, "train", problems)
    val = read_val(root, problems)
    report(problems)
    train = [record for record in train if not record.crowd.all()]
    if not train:
        raise ValueError(f"{root}: no image to train on has an object of CLASSES")
    return train, val


def read_val(root: Path, problems: list[str]) -> list[Record]:
    """Read the images to validate on."""
    return read_records(root, "val", problems)


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
    crowd |= (boxes[:, 2:] - boxes[:, :2]).amin(1) < MIN_SIZE
    return Record(file, *size, boxes, labels, crowd)


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


Line = tuple[str, list[float]]  # its place, and its numbers


def read_records(root: Path, part: str, problems: list[str]) -> list[Record]:
    """Read the images of a part of WIDER FACE, and the faces in them.

    Raises:
        ValueError: names a line that is not as it should be.
    """
    file = root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
    images: list[Path] = []
    faces: list[list[Line]] = []  # of each image
    lines = enumerate(read_lines(file), 1)
    for number, name in lines:
        images.append(root / f"WIDER_{part}" / "images" / name.strip())
        faces.append([])
        try:
            number, text = next(lines, (number, ""))
            count = max(
                int(text), 1
            )  # where there is no face, there is a line of zeros
            for number, text in islice(lines, count):
                values = list(map(float, text.split()))
                if len(values) != 10:
                    raise ValueError(f"must be 10 numbers, not {len(values)}")
                faces[-1].append((f"{file}:{number}", values))
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from error
    records = []
    sizes = read_sizes(images, problems)
    for image, size, rows in zip(images, sizes, faces, strict=True):
        if size is None:
            continue
        objects: list[Object] = []
        for where, (x, y, width, height, _, _, _, invalid, _, _) in rows:
            if not width or not height:
                continue  # a line of zeros, or one of the few faces of no size
            if box := cut_box([x, y, x + width, y + height], size, where, problems):
                objects.append((box, NUM_CLASSES - 1, invalid == 1))
        records.append(build_record(image, size, objects))
    return records
