"""Simple copy-paste (arXiv 2012.07177): train on objects in other surroundings."""

import torch
from torch import Tensor
from torchvision.ops import masks_to_boxes

PASTED = 0.5  # share of the other image's objects
VISIBLE = 0.1  # share of an object that has to stay visible


def paste(
    image: Tensor, target: dict[str, Tensor], other: Tensor, objects: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Paste some objects of another image over this one, at the places they have there.

    Images are uint8 [3, H, W], of any sizes; targets as `Samples` has them.
    """
    height, width = image.shape[1:]
    inside = (slice(min(height, other.shape[1])), slice(min(width, other.shape[2])))
    chosen = torch.rand(len(objects["labels"])) < PASTED
    pasted = torch.zeros(int(chosen.sum()), height, width, dtype=torch.bool)
    pasted[:, *inside] = objects["masks"][chosen].bool()[:, *inside]
    over = pasted.any(0)
    image = image.clone()
    image[:, *inside] = torch.where(over[inside], other[:, *inside], image[:, *inside])

    before = torch.cat([target["masks"].bool(), pasted])
    masks = torch.cat([target["masks"].bool() & ~over, pasted])
    kept = masks.sum((1, 2)) > VISIBLE * before.sum((1, 2))  # drops those outside, too
    masks = masks[kept]
    boxes = masks_to_boxes(masks)
    boxes[:, 2:] += 1  # to behind the last pixel
    labels = torch.cat([target["labels"], objects["labels"][chosen]])[kept]
    return image, {"boxes": boxes, "labels": labels, "masks": masks.to(torch.uint8)}
