"""The images, and their objects as annotated."""

import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from PIL import ExifTags, Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

DATA_DIR = "data/VOCdevkit"
CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
NUM_CLASSES = len(CLASSES)
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
    train = read_records(
        [
            root / "VOC2007/ImageSets/Main/trainval.txt",
            root / "VOC2012/ImageSets/Main/trainval.txt",
        ],
        problems,
    )
    val = read_val(root, problems)
    report(problems)
    train = [record for record in train if not record.crowd.all()]
    if not train:
        raise ValueError(f"{root}: no image to train on has an object of CLASSES")
    return train, val


def read_val(root: Path, problems: list[str]) -> list[Record]:
    """Read the images to validate on."""
    return read_records([root / "VOC2007/ImageSets/Main/test.txt"], problems)


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


def read_records(lists: list[Path], problems: list[str]) -> list[Record]:
    """Read the images of Pascal VOC's lists, in their order, and the objects."""
    places: list[tuple[Path, str]] = []  # VOC's folder, and the name of an image
    images: list[Path] = []
    for file in lists:
        folder = file.parents[2]
        present = sorted((folder / "JPEGImages").iterdir())
        files = {path.stem: path for path in present if is_image_file(path.name)}
        for line in read_lines(file):
            if name := line.strip():
                places.append((folder, name))
                images.append(files.get(name, folder / "JPEGImages" / f"{name}.jpg"))
    records = []
    sizes = read_sizes(images, problems)
    for (folder, name), image, size in zip(places, images, sizes, strict=True):
        if size is None:
            continue
        xml = folder / "Annotations" / f"{name}.xml"
        if (objects := read_objects(xml, image, size, problems)) is not None:
            records.append(build_record(image, size, objects))
    return records


def read_objects(
    file: Path, image: Path, size: Size, problems: list[str]
) -> list[Object] | None:
    """Read the objects of an XML file; None if it is unreadable or of another image."""
    try:
        root = read_xml(file)
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        problems.append(f"{file}: {error}")
        return None
    if not has_size(image, size, read_wanted_size(root), str(file), problems):
        return None
    objects: list[Object] = []
    for number, element in enumerate(root.findall("object"), 1):
        where = f"{file}: object {number}"
        name = element.findtext("name", "").strip()
        if name not in CLASSES:
            problems.append(f"{where}: {name!r} is none of CLASSES")
            continue
        try:
            x1, y1, x2, y2 = read_box(element)
        except ValueError:
            problems.append(f"{where}: needs a bndbox of xmin, ymin, xmax and ymax")
            continue
        # VOC counts pixels from 1, and the last ones are part of the object.
        if box := cut_box([x1 - 1, y1 - 1, x2, y2], size, where, problems):
            label, crowd = CLASSES.index(name), is_difficult(element)
            objects.append((box, label, crowd))
    return objects


def read_xml(file: Path) -> ElementTree.Element:
    """Parse an XML file, in the encoding that it declares, and return its root.

    Raises:
        OSError, ElementTree.ParseError, LookupError, ValueError: if it cannot be read.
    """
    content = file.read_bytes()
    declared = re.match(rb"""<\?xml[^>]*?encoding=["']([\w.:-]+)""", content)
    if declared is None:
        return ElementTree.fromstring(content)
    encoding = declared[1].decode()
    if encoding.lower() == "gb2312":
        encoding = "gb18030"  # which has it, and what else such files contain
    return ElementTree.fromstring(content.decode(encoding))  # ElementTree knows few


def read_wanted_size(root: ElementTree.Element) -> Size:
    """Read the image's height and width from an XML file; 0, 0 without them."""
    try:
        height, width = (
            float(root.findtext(f"size/{side}", "")) for side in ("height", "width")
        )
    except ValueError:
        return 0, 0
    return int(height), int(width)


def read_box(element: ElementTree.Element) -> list[float]:
    """Read xmin, ymin, xmax and ymax of an object.

    Raises:
        ValueError: if one is missing, or is not a number.
    """
    corners = [f"bndbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]
    return [float(element.findtext(corner, "")) for corner in corners]


def is_difficult(element: ElementTree.Element) -> bool:
    return element.findtext("difficult", "0").strip() == "1"
