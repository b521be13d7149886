"""The images with their objects, their transforms, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from torchvision.utils import draw_bounding_boxes

import distributed
from annotations import (
    CLASSES,
    DATA_DIR,
    Record,
    data_folder,
    read_datasets,
    read_val,
    report,
)

WORKERS = 4  # processes that read images, for each rank
DRAWN = 640  # pixels of an image's longer side, at most, in sheets and pictures of many
COLORS = ["red", "blue", "orange", "lime", "magenta", "cyan", "yellow", "purple"]

# Of uint8 images [3, H, W], with what is in them; the model normalises, on the device.
train_transform = v2.Compose(
    [
        v2.RandomShortestSize(min_size=[640, 672, 704, 736, 768, 800], max_size=1333),
        v2.RandomHorizontalFlip(),
        v2.ClampBoundingBoxes(),
        v2.SanitizeBoundingBoxes(),  # drops objects that were cut off
        v2.ToPureTensor(),
    ]
)
# The loss ignores objects thinner than a pixel; the ground truth still has them.
eval_transform = v2.Compose([v2.SanitizeBoundingBoxes(), v2.ToPureTensor()])


def to_floats(images: list[Tensor], device: torch.device) -> list[Tensor]:
    """Bring uint8 images [3, H, W] to the device, as floats from 0 to 1."""
    return [
        F.to_dtype(image.to(device, non_blocking=True), torch.float32, scale=True)
        for image in images
    ]


@dataclass
class Samples(Dataset[tuple[Tensor, dict[str, Tensor], int]]):
    """Images, uint8 [3, H, W], with what is in them, and their indices.

    That is "boxes", float [N, 4] of x1, y1, x2, y2 in pixels, and "labels", int64 [N].
    Crowds are left out.

    A sample is asked for as (index, seed), and its transform draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    records: list[Record]
    transform: v2.Transform

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(
        self, key: tuple[int, int]
    ) -> tuple[Tensor, dict[str, Tensor], int]:
        index, seed = key
        image, target = self.read(index)
        torch.manual_seed(seed)
        image, target = self.transform(image, target)
        return image, target, index

    def read(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        """Read an image and its objects, untransformed.

        Raises:
            ValueError: if the image has not the size of its annotations.
        """
        record = self.records[index]
        image = tv_tensors.Image(read_image(record.file))
        size = record.height, record.width
        if image.shape[1:] != size:
            actual = f"{image.shape[2]} x {image.shape[1]} pixels"
            annotated = f"{record.width} x {record.height}"
            raise ValueError(f"{record.file}: {actual}, but annotated as {annotated}")
        single = ~record.crowd
        target = {
            "boxes": tv_tensors.BoundingBoxes(
                record.boxes[single], format="XYXY", canvas_size=size
            ),
            "labels": record.labels[single],
        }
        return image, target

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return str(self.records[index].file)


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


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets."""
    train, val = read_datasets(root)
    return Samples(train, train_transform), Samples(val, eval_transform)


def build_eval_set(root: Path) -> Samples:
    """Read the validation images, without a look at those to train on."""
    problems: list[str] = []
    records = read_val(root, problems)
    report(problems)
    return Samples(records, eval_transform)


class Batches(Sampler[list[tuple[int, int]]]):
    """This process's share of each batch of an epoch, as pairs of an index and a seed.

    Order and seeds follow from (seed, epoch) alone, not from the number of processes.
    Wide and tall images come in different batches: together they would be mostly
    border.
    The last samples of an epoch, too few for a whole batch, are left out.

    Raises:
        ValueError: if a batch cannot be divided among the processes, or the samples
            are too few for one.
    """

    def __init__(self, samples: Samples, batch_size: int, seed: int) -> None:
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        if batch_size % self.processes:
            fitting = batch_size + -batch_size % self.processes
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes; write a multiple of that, e.g. {fitting}"
            )
        self.samples = len(samples)
        if self.samples < batch_size:
            raise ValueError(f"{self.samples} samples make no batch of {batch_size}")
        self.wide = [record.width > record.height for record in samples.records]
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
        order = self.group(order, generator)
        seeds = torch.randint(2**31, (self.samples,), generator=generator).tolist()
        share = self.batch_size // self.processes
        for batch in range(self.first, len(self)):
            begin = batch * self.batch_size + self.rank * share
            yield [(index, seeds[index]) for index in order[begin : begin + share]]

    def group(self, order: list[int], generator: torch.Generator) -> list[int]:
        """Put wide and tall images into different batches, and those in any order.

        What fills none comes at the end, where one batch may be of both.
        """
        groups = [
            [index for index in order if self.wide[index] == w] for w in (True, False)
        ]
        batches, rest = [], []
        for indices in groups:
            whole = len(indices) - len(indices) % self.batch_size
            batches += [
                indices[begin : begin + self.batch_size]
                for begin in range(0, whole, self.batch_size)
            ]
            rest += indices[whole:]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [index for batch in shuffled for index in batches[batch]] + rest


def collate(
    samples: list[tuple[Tensor, dict[str, Tensor], int]],
) -> tuple[list[Tensor], list[dict[str, Tensor]], Tensor]:
    """Collect a batch in lists, as images have different sizes."""
    images, targets, indices = zip(*samples, strict=True)
    return list(images), list(targets), torch.tensor(indices)


def build_loaders(
    train_set: Samples, batches: Batches, val_set: Samples
) -> tuple[DataLoader, DataLoader]:
    """Build the loaders of this process's training batches and validation images.

    A batch is (images, targets, indices): lists of what `Samples` has, and int64 [B].
    """
    train_loader = build_loader(train_set, batch_sampler=batches, collate_fn=collate)
    return train_loader, build_eval_loader(val_set)


def build_eval_loader(dataset: Samples) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap.

    Images come one by one: a batch would be padded to its largest image, and the
    results for an image would depend on the others.
    """
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    return build_loader(
        dataset, sampler=[(index, 0) for index in share], batch_size=None
    )


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


def shrink(
    image: Tensor, objects: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Reduce an image, uint8 [3, H, W], and its objects to DRAWN pixels at most."""
    height, width = image.shape[1:]
    scale = min(1.0, DRAWN / max(height, width))
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    objects = objects | {"boxes": objects["boxes"] * scale}
    return F.resize(image, size), objects


def outline(
    image: Tensor, objects: dict[str, Tensor], texts: list[str] | None = None
) -> Tensor:
    """Draw objects on a copy of an image, uint8 [3, H, W], a colour for each class.

    Args:
        objects: "boxes", float [N, 4] in pixels; "labels", int64 [N].
        texts: what is written in the boxes; by default the names of the classes.
    """
    labels = objects["labels"].tolist()
    if not labels:
        return image.clone()
    colors = [COLORS[label % len(COLORS)] for label in labels]
    side = max(image.shape)
    return draw_bounding_boxes(
        image,
        objects["boxes"],
        [CLASSES[label] for label in labels] if texts is None else texts,
        colors,
        width=max(1, side // 300),
        font=findfont("DejaVu Sans"),
        font_size=max(10, side // 50),
    )


def draw_sheet(dataset: Samples, count: int = 12, columns: int = 4) -> Figure:
    """Draw `count` samples from all over `dataset`, as training gets them."""
    indices = torch.linspace(0, len(dataset) - 1, count).long().tolist()
    rows = -(-count // columns)
    figure = Figure(figsize=(4 * columns, 3.5 * rows), layout="constrained")
    for axes, index in zip(figure.subplots(rows, columns).flat, indices, strict=True):
        image, target, _ = dataset[index, index]
        axes.imshow(outline(*shrink(image, target)).permute(1, 2, 0))
        axes.axis("off")
    return figure


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
