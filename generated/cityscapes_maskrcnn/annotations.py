"""The images, and their objects as annotated."""

import glob
import os
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

DATA_DIR = "data/cityscapes"
CLASSES = [
    "__background__",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
]
NUM_CLASSES = len(CLASSES)
LABEL_IDS = {
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints

Size = tuple[int, int]  # height and width of an image, in pixels
Object = tuple[list[float], int, bool, int]  # its box, label, crowd, and number


@dataclass
class Record:
    """An image, and the N objects in it."""

    file: Path
    height: int  # pixels, upright as EXIF data say
    width: int
    boxes: Tensor  # float32 [N, 4]: x1, y1, x2, y2 in pixels
    labels: Tensor  # int64 [N]: indices into CLASSES
    crowd: Tensor  # bool [N]: not trained on, and detecting one is no error
    mask_file: Path
    numbers: Tensor  # int32 [N]: the value of an object's pixels in it


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


def build_record(
    file: Path, size: Size, objects: list[Object], mask_file: Path
) -> Record:
    boxes = torch.tensor([row[0] for row in objects], dtype=torch.float32).reshape(
        -1, 4
    )
    labels = torch.tensor([row[1] for row in objects], dtype=torch.int64)
    crowd = torch.tensor([row[2] for row in objects], dtype=torch.bool)
    numbers = torch.tensor([row[3] for row in objects], dtype=torch.int32)
    return Record(file, *size, boxes, labels, crowd, mask_file, numbers)


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


LABELS = {number: CLASSES.index(name) for name, number in LABEL_IDS.items()}
Instances = list[tuple[int, list[float]]]  # their numbers and boxes


def read_records(root: Path, part: str, problems: list[str]) -> list[Record]:
    """Read the images of a part of Cityscapes, and the objects in their instanceIds.

    Raises:
        ValueError: if there is no image.
    """
    ends = {
        root / "leftImg8bit" / part: "_leftImg8bit.png",
        root / "gtFine" / part: "_gtFine_instanceIds.png",
    }
    frames = sorted(
        {
            file.removesuffix(end)  # CITY/CITY_NUMBER_NUMBER
            for folder, end in ends.items()
            for file in glob.glob(f"*/*{end}", root_dir=folder)
        }
    )
    if not frames:
        raise ValueError(f"{root}: no images in leftImg8bit/{part}")
    images, truths = (
        [folder / f"{frame}{end}" for frame in frames] for folder, end in ends.items()
    )
    with ThreadPoolExecutor() as pool:
        contents = pool.map(find_instances, truths)
        contents = tqdm(contents, part, len(truths), leave=False, disable=QUIET)
        results = list(contents)
    records = []
    sizes = read_sizes(images, problems)
    for image, size, truth, content in zip(images, sizes, truths, results, strict=True):
        if content is None:
            fault = "not a readable PNG" if truth.exists() else "no such file"
            problems.append(f"{truth}: {fault}")
        elif size is not None and size != content[0]:
            problems.append(f"{truth}: not of the same size as {image}")
        elif size is not None:
            _, instances = content
            objects: list[Object] = []
            for number, box in instances:
                crowd = number < 1000  # several that are not told apart
                label = LABELS.get(number if crowd else number // 1000)
                if label is not None:
                    objects.append((box, label, crowd, number))
            records.append(build_record(image, size, objects, truth))
    return records


def find_instances(file: Path) -> tuple[Size, Instances] | None:
    """Read an image's height and width, and its instances; None if it is unreadable."""
    try:
        with Image.open(file) as image:
            pixels = np.array(image, np.uint16)
    except Exception:  # Pillow has many
        return None
    rows, columns = np.nonzero((pixels >= 1000) | np.isin(pixels, list(LABELS)))
    numbers = pixels[rows, columns]
    order = np.argsort(numbers, kind="stable")  # instance by instance
    numbers, first = np.unique(numbers[order], return_index=True)
    rows, columns = rows[order], columns[order]
    edges = [
        np.minimum.reduceat(columns, first),
        np.minimum.reduceat(rows, first),
        np.maximum.reduceat(columns, first) + 1,
        np.maximum.reduceat(rows, first) + 1,
    ]
    boxes = np.stack(edges, 1).astype(float).tolist()
    return pixels.shape, list(zip(numbers.tolist(), boxes, strict=True))


def read_masks(record: Record) -> Tensor:
    """Draw the objects' masks: zeros and ones, uint8 [N, height, width].

    Raises:
        ValueError: if the file of masks is not as large as the image.
    """
    with Image.open(record.mask_file) as file:
        pixels = torch.from_numpy(np.array(file, np.int32))
    if pixels.shape != (record.height, record.width):
        raise ValueError(f"{record.mask_file}: not of the same size as {record.file}")
    return (pixels == record.numbers[:, None, None]).to(torch.uint8)
