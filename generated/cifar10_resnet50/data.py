"""The images, their transforms, and the loaders.

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
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.datasets import CIFAR10
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import distributed

DATA_DIR = "data"
NUM_CLASSES = 10
IMAGE_SIZE = 224  # pixels, height and width
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.201)
EVAL_BATCH_SIZE = 64  # images, for each rank
WORKERS = 4  # processes that read images, for each rank

# Transforms of uint8 images [3, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        v2.RandomCrop(size=32, padding=4),
        v2.RandomHorizontalFlip(),
        v2.Resize(size=224),
    ]
)
eval_transform = v2.Compose(
    [
        v2.Resize(size=224),
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

    source: Dataset[tuple[Image.Image, int]]
    names: list[str]  # of samples, in error messages
    labels: list[int]
    classes: list[str]
    transform: v2.Transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        image = F.pil_to_tensor(self.source[index][0].convert("RGB"))
        torch.manual_seed(seed)
        return self.transform(image), self.labels[index], index

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return self.names[index]


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


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets, from torchvision's own files."""
    val_set = build_eval_set(root)
    train = CIFAR10(root, train=True)
    train_set = Samples(
        train,
        [f"CIFAR-10's train image {index}" for index in range(len(train))],
        train.targets,
        train.classes,
        train_transform,
    )
    return train_set, val_set


def build_eval_set(root: Path) -> Samples:
    """Read the validation images, without those to train on."""
    if os.environ.get("LOCAL_RANK", "0") == "0":  # fetches them for the others
        CIFAR10(root, train=False, download=True)
    dist.barrier()
    source = CIFAR10(root, train=False)
    return Samples(
        source,
        [f"CIFAR-10's test image {index}" for index in range(len(source))],
        source.targets,
        source.classes,
        eval_transform,
    )


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
        if batch_size % self.processes:
            fitting = batch_size + -batch_size % self.processes
            raise ValueError(
                f"a batch of {batch_size} cannot be divided among {self.processes} "
                f"processes; write a multiple of that, e.g. {fitting}"
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
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default="samples.png")
    args = parser.parse_args()
    distributed.init()
    train_set, _ = build_datasets(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(train_set).savefig(args.output)
    print(args.output)


if __name__ == "__main__":
    main()
