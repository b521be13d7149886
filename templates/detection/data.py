"""The images with their objects, their transforms, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import os
import signal
from collections.abc import Iterator, Sequence
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
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

import distributed
from annotations import (
    CLASSES,
    DATA_DIR,
    Record,
    data_folder,
    read_datasets,
    read_masks,
    read_test,
    read_val,
    report,
)
from copy_paste import paste

WORKERS = {{ data.workers }}  # processes that read images, for each rank
#% for setting in data.settings
{{ setting }}
#% endfor
DRAWN = 640  # pixels of an image's longer side, at most, in sheets and pictures of many
COLORS = ["red", "blue", "orange", "lime", "magenta", "cyan", "yellow", "purple"]

#% if data.resizes
# Of uint8 images [3, H, W], with what is in them; the model normalises, on the device.
#% else
# Of uint8 images [3, H, W], with what is in them; the model resizes and normalises, on
# the device.
#% endif
train_transform = v2.Compose(
    [
        #% for transform in data.train_transforms
        {{ transform }},
        #% endfor
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

    #% if data.masks
    That is "boxes", float [N, 4] of x1, y1, x2, y2 in pixels; "labels", int64 [N]; and
    "masks", uint8 [N, H, W]. Crowds are left out.
    #% else
    That is "boxes", float [N, 4] of x1, y1, x2, y2 in pixels, and "labels", int64 [N].
    Crowds are left out.
    #% endif

    A sample is asked for as (index, seed), and its transform draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    records: list[Record]
    transform: v2.Transform
    #% if data.copy_paste
    copy_paste: float = 0.0  # share of the images that get objects of another one
    #% endif

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, dict[str, Tensor], int]:
        index, seed = key
        image, target = self.read(index)
        torch.manual_seed(seed)
        image, target = self.transform(image, target)
        #% if data.copy_paste
        if torch.rand(()) < self.copy_paste:
            other = int(torch.randint(len(self), ()))
            image, target = paste(image, target, *self.transform(*self.read(other)))
        #% endif
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
            #% if data.masks
            "masks": tv_tensors.Mask(read_masks(record)[single]),
            #% endif
        }
        return image, target

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        return str(self.records[index].file)


#% include "shared/read_image.py"


def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets."""
    train, val = read_datasets(root)
    #% if data.copy_paste
    return Samples(train, train_transform, COPY_PASTE), Samples(val, eval_transform)
    #% else
    return Samples(train, train_transform), Samples(val, eval_transform)
    #% endif


#% if annotations.held_out.any
#% if annotations.held_out.both
def build_eval_set(root: Path, split: str) -> Samples:
    """Read the images of the split "val" or "test", without a look at others."""
    read = {"val": read_val, "test": read_test}[split]
#% elif annotations.test
def build_eval_set(root: Path, split: str) -> Samples:
    """Read the split "val" or "test", the latter without a look at other images."""
    if split == "val":
        return build_datasets(root)[1]
#% else
def build_eval_set(root: Path) -> Samples:
    """Read the validation images, without a look at those to train on."""
#% endif
    problems: list[str] = []
    #% if annotations.held_out.both
    records = read(root, problems)
    #% elif annotations.test
    records = read_test(root, problems)
    #% else
    records = read_val(root, problems)
    #% endif
    report(problems)
    return Samples(records, eval_transform)


#% endif
#% include "shared/batches.py"


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
    return build_loader(dataset, sampler=[(index, 0) for index in share], batch_size=None)


#% include "shared/loader.py"


#% include "detection/outline.py"


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
    parser.add_argument("--data", type={{ data_folder }}, default=DATA_DIR)
    parser.add_argument("--output", type=Path, default="samples.png")
    args = parser.parse_args()
    distributed.init()
    train_set, _ = build_datasets(args.data)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(train_set).savefig(args.output)
    print(args.output)


if __name__ == "__main__":
    main()
