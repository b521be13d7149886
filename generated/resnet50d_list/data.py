"""The images, their transforms, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import os
import re
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

import distributed

DATA_DIR = "data/flowers102"
NUM_CLASSES = 102
IMAGE_SIZE = 320  # pixels, height and width
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
EVAL_BATCH_SIZE = 64  # images, for each rank
WORKERS = 4  # processes that read images, for each rank
SEPARATOR = " "  # of path and label, in a line

# Transforms of uint8 images [3, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        v2.RandomResizedCrop(
            size=IMAGE_SIZE, interpolation=v2.InterpolationMode.BICUBIC
        ),
        v2.RandomHorizontalFlip(),
    ]
)
eval_transform = v2.Compose(
    [
        v2.Resize(
            size=round(IMAGE_SIZE * 256 / 224),
            interpolation=v2.InterpolationMode.BICUBIC,
        ),
        v2.CenterCrop(size=IMAGE_SIZE),
    ]
)


def normalize(images: Tensor) -> Tensor:
    """Turn uint8 [..., 3, H, W] into floats of about zero mean and unit variance."""
    return F.normalize(F.to_dtype(images, torch.float32, scale=True), MEAN, STD)


@dataclass
class Samples(Dataset[tuple[Tensor, int, int]]):
    """Images, uint8 [3, H, W], with their labels and indices.

    A sample is asked for as (index, seed), and its transform draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    files: Sequence[str | Path]
    labels: list[int]
    classes: list[str]
    transform: v2.Transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        image = read_image(self.files[index])
        torch.manual_seed(seed)
        return self.transform(image), self.labels[index], index

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return str(self.files[index])


def read_image(path: str | Path) -> Tensor:
    """Read an image file as uint8 RGB [3, H, W], upright as its EXIF data says.

    Of 16 bits the upper 8 are kept, of an animation the first image; transparency is
    ignored.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode in ("I", "F"):
                raise ValueError("32 bits a channel; save it with 8 or 16")
            if image.mode.startswith("I;16"):
                deep = F.pil_to_tensor(image.convert("I"))
                return (deep >> 8).to(torch.uint8).expand(3, -1, -1)
            return F.pil_to_tensor(image.convert("RGB"))
    except Exception as error:  # each decoder has its own
        message = f"{path}: not a readable image; mend or remove it ({error})"
        raise RuntimeError(message) from error


def is_image_file(path: str) -> bool:
    """Return whether a file is an image by its name."""
    return path.lower().endswith((*IMG_EXTENSIONS, ".avif", ".gif", ".jfif"))


def data_folder(path: str) -> Path:
    """Return the folder that --data names, relative to where a command is started."""
    if not Path(path).is_dir():
        raise SystemExit(
            f"{path}: no such folder in {Path.cwd()}; name it by --data DIR"
        )
    return Path(path)


Row = tuple[str, Path, str]  # where it stands, an image, its label


def open_text(path: Path) -> StringIO:
    """Open a text file.

    Raises:
        ValueError: names it if it is not UTF-8.
    """
    try:
        return StringIO(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text; save it as that") from error


def read_rows(root: Path, path: Path) -> list[Row]:
    """Read a list file, in each line a path in `root`, SEPARATOR and a label.

    Raises:
        ValueError: names the line that is not so.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            name, _, label = line.strip().rpartition(SEPARATOR)
            if name and not label.strip():
                raise ValueError(f"{path}:{number}: the label is empty; write one")
            if name:
                source = root / name.strip()
                rows.append((f"{path}:{number}", source, label.strip()))
            elif line.strip():
                wanted = f"a path, {SEPARATOR!r} and a label"
                raise ValueError(f"{path}:{number}: must be {wanted}, not {line!r}")
    return rows


def name_classes(rows: list[Row]) -> list[str]:
    """Return the classes' names: all labels, or numbers if all labels are numbers.

    "007" is a name: numbers have no zeros in front.
    """
    names = sorted({label for _, _, label in rows})
    if all(re.fullmatch("0|-?[1-9][0-9]*", name) for name in names):
        return [str(number) for number in range(NUM_CLASSES)]
    return names


def build_samples(
    rows: list[Row], classes: list[str], transform: v2.Transform
) -> Samples:
    """Build samples, with the numbers of their classes.

    Raises:
        ValueError: names the line of a label that is no class.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    if len(classes) != NUM_CLASSES:
        raise ValueError(f"{len(classes)} classes, but NUM_CLASSES is {NUM_CLASSES}")
    for place, _, name in rows:
        if name not in numbers:
            raise ValueError(f"{place}: {name!r} is none of {NUM_CLASSES} classes")
    labels = [numbers[name] for _, _, name in rows]
    return Samples([source for _, source, _ in rows], labels, classes, transform)


def readable(parts: list[Samples]) -> list[Samples]:
    """Look at the headers of all images before training begins.

    Raises:
        ValueError: names the images that are missing or cannot be read.
    """
    headers = read_headers([file for samples in parts for file in samples.files])
    if wrong := [header for header in headers if isinstance(header, str)]:
        listed = "\n".join(wrong[:20] + ["…"] * (len(wrong) > 20))
        raise ValueError(f"{len(wrong)} of {len(headers)} images are wrong:\n{listed}")
    return parts


QUIET = os.environ.get("RANK", "0") != "0"  # only rank 0 prints
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


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets."""
    rows = read_rows(root, root / "train_list.txt")
    classes = name_classes(rows)
    val_rows = read_eval_rows(root)
    train = build_samples(rows, classes, train_transform)
    train, val = readable([train, build_samples(val_rows, classes, eval_transform)])
    return train, val


def read_eval_rows(root: Path) -> list[Row]:
    """Read the rows of the validation images."""
    return read_rows(root, root / "val_list.txt")


def build_eval_set(root: Path, classes: list[str]) -> Samples:
    """Read the validation images, without a look at those to train on."""
    rows = read_eval_rows(root)
    return readable([build_samples(rows, classes, eval_transform)])[0]


class Batches(Sampler[list[tuple[int, int]]]):
    """This process's share of each batch of an epoch, as pairs of an index and a seed.

    Order and seeds follow from (seed, epoch) alone, not from the number of processes.
    The last samples of an epoch, too few for a whole batch, are left out.

    Raises:
        ValueError: if a batch cannot be divided among the processes, or the samples
            are too few for one.
    """

    def __init__(self, samples: Samples, batch_size: int, seed: int) -> None:
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        divisor = 2 * self.processes  # `mix` blends the images of a process in pairs
        if batch_size % divisor:
            fitting = batch_size + -batch_size % divisor
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes in pairs; write a multiple of {divisor}, e.g. {fitting}"
            )
        self.samples = len(samples)
        if self.samples < batch_size:
            raise ValueError(f"{self.samples} samples make no batch of {batch_size}")
        self.batch_size, self.seed = batch_size, seed
        self.epoch = self.first = 0

    def start(self, epoch: int, first: int) -> None:
        """Make the next iteration that of `epoch`, from its batch `first` on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        return self.samples // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(self.samples, generator=generator).tolist()
        seeds = torch.randint(2**31, (self.samples,), generator=generator).tolist()
        share = self.batch_size // self.processes
        for batch in range(self.first, len(self)):
            begin = batch * self.batch_size + self.rank * share
            yield [(index, seeds[index]) for index in order[begin : begin + share]]


def build_loaders(
    train_set: Samples, batches: Batches, val_set: Samples
) -> tuple[DataLoader, DataLoader]:
    """Build the loaders of this process's training and validation batches.

    A batch is (images, labels, indices): uint8 [B, 3, H, W], int64 [B], int64 [B].
    """
    return build_loader(train_set, batch_sampler=batches), build_eval_loader(val_set)


def build_eval_loader(dataset: Samples) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap."""
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    keys = [(index, 0) for index in share]
    return build_loader(dataset, sampler=keys, batch_size=EVAL_BATCH_SIZE)


def build_loader(dataset: Dataset, **options: Any) -> DataLoader:
    return DataLoader(
        dataset,
        num_workers=WORKERS,
        worker_init_fn=leave_group,
        persistent_workers=WORKERS > 0,
        pin_memory=torch.cuda.is_available(),
        **options,
    )


def leave_group(worker: int) -> None:
    """Give the worker its own session: Ctrl-C and SIGTERM reach only the trainer."""
    if hasattr(os, "setsid"):  # Windows has none, and only Ctrl-C reaches a group
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the trainer sends it to workers


def draw(images: list[Tensor], titles: list[str], columns: int = 6) -> Figure:
    """Draw `images`, uint8 [3, H, W] each, with a title over each."""
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, image, title in zip(figure.axes, images, titles, strict=False):
        axes.imshow(image.permute(1, 2, 0))
        axes.set_title(title, fontsize=8, parse_math=False)
    return figure


def draw_sheet(dataset: Samples, count: int = 24) -> Figure:
    """Draw `count` samples from all over `dataset`, as training gets them."""
    indices = torch.linspace(0, len(dataset) - 1, count).long().tolist()
    images = [dataset[index, index][0] for index in indices]
    titles = [dataset.classes[dataset.labels[index]] for index in indices]
    return draw(images, titles)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw some training samples.")
    parser.add_argument("--data", type=data_folder, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default="samples.png")
    args = parser.parse_args()
    distributed.init()
    train_set, _ = build_datasets(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(train_set).savefig(args.output)
    print(args.output)


if __name__ == "__main__":
    main()
