"""The images, their transforms, and the loaders.

Any number of processes and workers trains on the same batches of the same samples.
"""

import argparse
import csv
import glob
import json
import os
import re
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, Subset
from torchvision.datasets import (
    CIFAR10,
    CIFAR100,
    DTD,
    EMNIST,
    FGVCAircraft,
    GTSRB,
    KMNIST,
    MNIST,
    PCAM,
    STL10,
    SUN397,
    SVHN,
    Caltech101,
    Caltech256,
    EuroSAT,
    FashionMNIST,
    Flowers102,
    Food101,
    Imagenette,
    ImageNet,
    OxfordIIITPet,
    StanfordCars,
)
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

import distributed

{{ data.data_dir }}
NUM_CLASSES = {{ data.num_classes }}
IMAGE_SIZE = {{ data.image_size }}  # pixels, height and width
MEAN = {{ data.mean }}
STD = {{ data.std }}
EVAL_BATCH_SIZE = {{ data.eval_batch_size }}  # images, for each rank
WORKERS = {{ data.workers }}  # processes that read images, for each rank
#% for setting in data.settings
{{ setting }}
#% endfor

#% if data.fit.template
#% include data.fit.template


#% endif
# Transforms of uint8 images [{{ data.axis }}, H, W]; `normalize` makes them floats, on the device.
train_transform = v2.Compose(
    [
        #% for transform in data.train_transforms
        {{ transform }},
        #% endfor
    ]
)
eval_transform = v2.Compose(
    [
        #% for transform in data.eval_transforms
        {{ transform }},
        #% endfor
    ]
)


def normalize(images: Tensor) -> Tensor:
    """Turn uint8 [..., {{ data.axis }}, H, W] into floats of about zero mean and unit variance."""
    return F.normalize(F.to_dtype(images, torch.float32, scale=True), MEAN, STD)


#% if data.multi_label
@dataclass
class Samples(Dataset[tuple[Tensor, Tensor, int]]):
    """Images, uint8 [{{ data.axis }}, H, W], with their labels and indices.

    Labels are 1 or 0 for each class, float [NUM_CLASSES]. A sample is asked for as
    (index, seed), and its transform draws from `seed`: it is the same whichever process
    and worker reads it.
    """

    files: Sequence[str | Path]
    labels: list[list[int]]
    classes: list[str]
    transform: v2.Transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
        index, seed = key
        image = read_image(self.files[index])
        torch.manual_seed(seed)
        label = torch.zeros(NUM_CLASSES)
        label[self.labels[index]] = 1
        return self.transform(image), label, index
#% else
@dataclass
class Samples(Dataset[tuple[Tensor, int, int]]):
    """Images, uint8 [{{ data.axis }}, H, W], with their labels and indices.

    A sample is asked for as (index, seed), and its transform draws from `seed`: it is
    the same whichever process and worker reads it.
    """

    #% if data.files
    files: Sequence[str | Path]
    #% else
    source: Dataset[tuple[Image.Image, int]]
    names: list[str]  # of samples, in error messages
    #% endif
    labels: list[int]
    classes: list[str]
    transform: v2.Transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, int]:
        index, seed = key
        #% if data.files
        image = read_image(self.files[index])
        #% else
        #% if data.grey
        image = F.pil_to_tensor(self.source[index][0].convert("L"))
        #% else
        image = F.pil_to_tensor(self.source[index][0].convert("RGB"))
        #% endif
        #% endif
        #% if data.transposed
        image = image.mT  # upright: EMNIST stores letters as columns of columns
        #% endif
        torch.manual_seed(seed)
        return self.transform(image), self.labels[index], index
#% endif

    def name(self, index: int) -> str:
        """Return a sample's name for error messages."""
        #% if data.files
        return str(self.files[index])
        #% else
        return self.names[index]
        #% endif
    #% if data.val_fraction or data.skip_unreadable

    def part(self, indices: list[int], transform: v2.Transform) -> "Samples":
        """Return some of the samples, with another transform."""
        return replace(
            self,
            #% if data.files
            files=[self.files[index] for index in indices],
            #% else
            source=Subset(self.source, indices),
            names=[self.names[index] for index in indices],
            #% endif
            labels=[self.labels[index] for index in indices],
            transform=transform,
        )
    #% endif


#% if data.bands
#% include "classification/bands.py"
#% else
#% include "shared/read_image.py"


#% include "shared/is_image_file.py"
#% endif


#% if data.val_fraction
#% include "classification/split.py"


#% endif
#% if data_folder != "Path"
#% include "shared/data_folder.py"


#% endif
#% include data.source_template


#% include "shared/batches.py"


def build_loaders(
    train_set: Samples, batches: Batches, val_set: Samples
) -> tuple[DataLoader, DataLoader]:
    """Build the loaders of this process's training and validation batches.

    #% if data.multi_label
    A batch is (images, labels, indices): uint8 [B, {{ data.axis }}, H, W], float [B, NUM_CLASSES] of
    zeros and ones, int64 [B].
    #% else
    A batch is (images, labels, indices): uint8 [B, {{ data.axis }}, H, W], int64 [B], int64 [B].
    #% endif
    """
    return build_loader(train_set, batch_sampler=batches), build_eval_loader(val_set)


def build_eval_loader(dataset: Samples) -> DataLoader:
    """Build a loader of this process's share of `dataset`; no two shares overlap."""
    share = range(dist.get_rank(), len(dataset), dist.get_world_size())
    keys = [(index, 0) for index in share]
    return build_loader(dataset, sampler=keys, batch_size=EVAL_BATCH_SIZE)


#% include "shared/loader.py"


def draw(images: list[Tensor], titles: list[str], columns: int = 6) -> Figure:
    #% if data.channels > 3
    """Draw `images`, uint8 [CHANNELS, H, W] each, with a title over each.

    The first three channels of each are shown as red, green and blue.
    """
    #% elif data.bands
    """Draw the first channels of `images`, with a title over each."""
    #% else
    """Draw `images`, uint8 [{{ data.axis }}, H, W] each, with a title over each."""
    #% endif
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, image, title in zip(figure.axes, images, titles, strict=False):
        #% if data.channels < 3
        axes.imshow(image[0], cmap="gray", vmin=0, vmax=255)
        #% elif data.channels > 3
        axes.imshow(image[:3].permute(1, 2, 0))
        #% else
        axes.imshow(image.permute(1, 2, 0))
        #% endif
        axes.set_title(title, fontsize=8, parse_math=False)
    return figure


def draw_sheet(dataset: Samples, count: int = 24) -> Figure:
    """Draw `count` samples from all over `dataset`, as training gets them."""
    indices = torch.linspace(0, len(dataset) - 1, count).long().tolist()
    images = [dataset[index, index][0] for index in indices]
    #% if data.multi_label
    labels = [dataset.labels[index] for index in indices]
    titles = [", ".join(dataset.classes[label] for label in some) for some in labels]
    #% else
    titles = [dataset.classes[dataset.labels[index]] for index in indices]
    #% endif
    return draw(images, titles)


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
