"""Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899): train on blends of images."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data import NUM_CLASSES

MIXUP_ALPHA = 0.8  # of the Beta distribution of the images' shares
CUTMIX_ALPHA = 1.0  # of the Beta distribution of the share that is kept


def mix(inputs: Tensor, labels: Tensor, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Blend each image with its neighbour in the batch: 0 with 1, 2 with 3, and so on.

    What is drawn follows from (seed, step) alone, and neighbours are in one process:
    the number of processes changes nothing.

    Args:
        inputs: float [B, ..., H, W], of an even B.
        labels: int64 [B].

    Returns:
        The blends, and the shares of the classes in each, float [B, NUM_CLASSES].
    """
    random = np.random.default_rng((seed, step))
    targets = F.one_hot(labels, NUM_CLASSES).float()
    if random.random() < 0.5:
        share = random.beta(MIXUP_ALPHA, MIXUP_ALPHA)
        inputs = share * inputs + (1 - share) * neighbours(inputs)
    else:
        inputs, share = cut(inputs, random)
    return inputs, share * targets + (1 - share) * neighbours(targets)


def neighbours(batch: Tensor) -> Tensor:
    """Swap 0 and 1, 2 and 3, and so on."""
    return batch.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def cut(inputs: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
    """Paste a box of each image's neighbour into it, all of them at the same place.

    Returns:
        The images, and the share of each that is its own.
    """
    height, width = inputs.shape[-2:]
    side = (1 - random.beta(CUTMIX_ALPHA, CUTMIX_ALPHA)) ** 0.5  # of the image's sides
    center_y, center_x = random.integers(height), random.integers(width)
    half_y, half_x = int(side * height) // 2, int(side * width) // 2
    top, bottom = max(0, center_y - half_y), min(height, center_y + half_y)
    left, right = max(0, center_x - half_x), min(width, center_x + half_x)
    box = torch.zeros(height, width, dtype=torch.bool, device=inputs.device)
    box[top:bottom, left:right] = True
    share = 1 - (bottom - top) * (right - left) / (height * width)  # cut at the border
    return torch.where(box, neighbours(inputs), inputs), share
