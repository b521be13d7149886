"""Mixup (arXiv 1710.09412): train on blends of images."""

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from data import NUM_CLASSES

MIXUP_ALPHA = 0.2  # of the Beta distribution of the images' shares


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
    share = random.beta(MIXUP_ALPHA, MIXUP_ALPHA)
    inputs = share * inputs + (1 - share) * neighbours(inputs)
    return inputs, share * targets + (1 - share) * neighbours(targets)


def neighbours(batch: Tensor) -> Tensor:
    """Swap 0 and 1, 2 and 3, and so on."""
    return batch.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
