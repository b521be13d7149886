"""Name the class of images: `python predict.py photo.jpg folder 'more/*.png'`."""

import argparse
import csv
import glob
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F

import checkpoint
from data import (
    CHANNELS,
    EVAL_BATCH_SIZE,
    IMAGE_SIZE,
    build_loader,
    draw,
    eval_transform,
    is_image_file,
    normalize,
    read_image,
)
from model import build_model

CHECKPOINT = Path(__file__).parent / "runs/best.pt"
#% if data.multi_label
THRESHOLD = 0.5  # classes of a lower probability are not named
#% else
TOPK = {{ predicted }}  # classes to name for an image
#% endif
DRAWN = 48  # images on a picture, the first ones


@dataclass
class Files(Dataset[tuple[Tensor, str]]):
    """Images, uint8 [{{ data.axis }}, {{ data.sides }}], with error messages.

    The message is "" if the image was read; an unreadable image is black.
    """

    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        try:
            image = eval_transform(read_image(self.paths[index]))
        except RuntimeError as error:
            black = torch.zeros({{ data.depth }}, {{ data.sides }}, dtype=torch.uint8)
            return black, str(error)
        #% if resizes
        return F.resize(image, [{{ data.sides }}]), ""  # whatever its shape was
        #% else
        return image, ""
        #% endif


#% include "shared/find.py"


@torch.inference_mode()
def predict(
    model: nn.Module, files: list[str], device: torch.device
) -> Iterator[tuple[Tensor, str, Tensor]]:
    """Yield for each file its image, its error, and probabilities [NUM_CLASSES]."""
    for images, errors in build_loader(Files(files), batch_size=EVAL_BATCH_SIZE):
        logits = model(normalize(images.to(device, non_blocking=True)))
        #% if data.multi_label
        yield from zip(images, errors, logits.sigmoid().cpu(), strict=True)
        #% else
        yield from zip(images, errors, logits.softmax(1).cpu(), strict=True)
        #% endif


#% include "classification/answers.py"


if __name__ == "__main__":
    main()
