"""Build ssdlite320_mobilenet_v3_large for 3 classes."""

import torch
from torch import Tensor, nn
from torchvision import models

from annotations import NUM_CLASSES

WEIGHTS = models.detection.SSDLite320_MobileNet_V3_Large_Weights.COCO_V1


def build_model() -> nn.Module:
    """Build a detector, which takes lists of images, floats [3, H, W] from 0 to 1.

    In training mode it takes their targets as well, and returns its losses by name;
    else it returns for each image "boxes", float [N, 4] of x1, y1, x2, y2 in pixels;
    "labels", int64 [N]; and "scores", float [N].

    Its weights are random until `load_pretrained` or a checkpoint fills them.
    """
    model = models.detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=NUM_CLASSES
    )
    if torch.cuda.is_available():
        # Statistics over the whole batch, on any number of GPUs; CPUs cannot do it.
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model


def load_pretrained(model: nn.Module) -> None:
    """Fill all of `model` but its head, which is new, with the pretrained weights.

    Raises:
        RuntimeError: names all other tensors that are missing, unexpected or misshapen.
    """
    state = read_pretrained()
    # The heads stay as they are, whatever they are; all else has to be there.
    head = (
        "head.classification_head.module_list.0.1.",
        "head.classification_head.module_list.1.1.",
        "head.classification_head.module_list.2.1.",
        "head.classification_head.module_list.3.1.",
        "head.classification_head.module_list.4.1.",
        "head.classification_head.module_list.5.1.",
    )
    for name in [name for name in state if name.startswith(head)]:
        del state[name]
    for name, tensor in model.state_dict().items():
        if name.startswith(head):
            state[name] = tensor
    model.load_state_dict(state)


def read_pretrained() -> dict[str, Tensor]:
    """Read the pretrained weights, by the model's own names for them."""
    return WEIGHTS.get_state_dict(
        check_hash=True, map_location="cpu", weights_only=True
    )
